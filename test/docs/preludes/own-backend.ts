import type { Backend } from 'runfence';

declare const database: { createDocument(): Promise<{ readonly id: string; drop(): void }> };
declare const DocumentBackend: new (document: object) => Backend;
// ---
