import { handlers } from '../../../../../lib/handlers.js';

export const GET = handlers.resumeChat;
