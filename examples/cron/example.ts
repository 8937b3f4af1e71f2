/** The scene alone, with what it found. */
import { cronScene } from './scene.js';

await cronScene({
  scene: (title) => console.log(title),
  event: () => {},
  check: (held, claim) => {
    console.log(held ? 'ok    ' : 'FAILED', claim);
    if (!held) process.exitCode = 1;
  },
});
