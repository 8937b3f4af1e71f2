import { createRunControl, type RunControl } from 'runfence';
import { answer, Probes } from './app.js';
import { http1Client, http2Client, type KeepingClient, type Leaving, type Sent } from './client.js';
import { type App, HOSTS, type Host } from './hosts.js';

/** A host with the app, a client of its protocol, and all that was told as an error. */
export interface HostStage {
  readonly host: Host;
  readonly control: RunControl;
  readonly probes: Probes;
  readonly client: KeepingClient;
  /** What the host, the app or the control took for an error. */
  readonly errors: unknown[];
  /** A client leaves, and the server has heard of it. */
  leave(leaving: Leaving): Promise<void>;
  close(): Promise<void>;
}

export async function startHost(name: string, connections = 4): Promise<HostStage> {
  const kind = HOSTS[name];
  if (kind === undefined) throw new Error(`There is no host ${name}.`);
  const errors: unknown[] = [];
  const onError = (error: unknown): void => void errors.push(error);
  const control = createRunControl({ onError, retention: { max: 0 } });
  const probes = new Probes();
  const app: App = (client) => answer(control, probes, client);
  const host = await kind.start(app, onError);
  const client = kind.isHttp2 === true ? http2Client(host.port) : http1Client(host.port, connections);
  return {
    host,
    control,
    probes,
    client,
    errors,
    leave: async (leaving) => {
      const socket = [...host.sockets].find(({ remotePort }) => remotePort === leaving.port);
      await leaving.leave();
      if (socket === undefined || socket.closed) return;
      await new Promise<void>((resolve) => socket.once('close', () => resolve()));
    },
    close: async () => {
      client.close();
      await host.close();
      await control.drain({ graceMs: 0 });
    },
  };
}

export type { Sent };
