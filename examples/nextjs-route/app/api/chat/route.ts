import { handlers } from '../../../lib/handlers.js';

export const POST = handlers.chat;
