import { landings } from './rows.js';

landings('memory');
