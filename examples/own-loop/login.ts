import type { Login } from './server.js';

const USERS: ReadonlyMap<string, string> = new Map([
  ['ada-token', 'ada'],
  ['eve-token', 'eve'],
]);

/** Stands in for a look-up in a database. */
export const login: Login = async (token) => {
  await new Promise((resolve) => setTimeout(resolve, 5));
  return USERS.get(token);
};
