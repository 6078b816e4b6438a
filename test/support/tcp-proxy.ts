import { connect, createServer, type Socket } from 'node:net';
import { freePort } from '../../devservers/ports.ts';

/** A TCP proxy on loopback that can be cut, to see what the one behind it does when its server is gone. */
export interface TcpProxy {
  readonly port: number;
  /** Cuts every connection and refuses new ones. */
  cut(): Promise<void>;
  /** Lets connections through again; does nothing where they already go through. */
  mend(): Promise<void>;
  close(): Promise<void>;
}

/** `delayMs`: what the server answers comes this much later. */
export async function startTcpProxy(target: {
  readonly host: string;
  readonly port: number;
  readonly delayMs?: number;
}): Promise<TcpProxy> {
  const { delayMs = 0 } = target;
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    // A reset on one side ends the other; what was lost is the test's subject, not a fault of the proxy.
    socket.on('error', () => socket.destroy());
  };
  const port = await freePort();
  let server = createServer();

  async function listen(): Promise<void> {
    if (server.listening) return;
    server = createServer((client) => {
      const upstream = connect(target.port, target.host);
      keep(client);
      keep(upstream);
      client.pipe(upstream);
      if (delayMs === 0) upstream.pipe(client);
      else upstream.on('data', (chunk) => setTimeout(() => client.writable && client.write(chunk), delayMs));
      client.on('close', () => upstream.destroy());
      upstream.on('close', () => client.destroy());
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', resolve);
    });
  }

  async function cut(): Promise<void> {
    if (!server.listening) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of sockets) socket.destroy();
    await closed;
  }

  await listen();
  return { port, cut, mend: listen, close: cut };
}
