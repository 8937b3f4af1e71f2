import { landings } from './rows.js';

landings('asynchronous');
