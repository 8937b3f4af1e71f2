const model = {
  async *stream(text: string, _signal: AbortSignal): AsyncGenerator<string> {
    yield text;
  },
};
// ---
const said: string[] = [];
const whole = await createChat().answer('c1', 'hello', (part) => said.push(part));
console.assert(whole.status === 'completed' && said.join() === 'hello');
