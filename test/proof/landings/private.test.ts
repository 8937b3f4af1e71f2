import { landings } from './rows.js';

landings('private');
