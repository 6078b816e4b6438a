import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../devservers/ports.ts';

/** A TCP proxy on loopback that can be cut, to see what the one behind it does when its server is gone. */
export interface TcpProxy {
  readonly port: number;
  /** Cuts every connection and refuses new ones. */
  cut(): Promise<void>;
  /** A black hole: what is connected now stays so and carries nothing any more, in either direction; new connections do. */
  hush(): void;
  /** What the server answers comes this much later from now on; nothing overtakes what is under way. */
  delay(ms: number): void;
  /** Lets connections through again; does nothing where they already go through. */
  mend(): Promise<void>;
  close(): Promise<void>;
}

/** `delayMs`: what the server answers comes this much later, unless `delay` says otherwise. */
export async function startTcpProxy(target: {
  readonly host: string;
  readonly port: number;
  readonly delayMs?: number;
}): Promise<TcpProxy> {
  let { delayMs = 0 } = target;
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
      let underWay = Promise.resolve();
      upstream.on('data', (chunk) => {
        const due = delayMs === 0 ? undefined : sleep(delayMs);
        underWay = underWay.then(() => due).then(() => void (client.writable && client.write(chunk)));
      });
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

  /** Sockets that nobody reads or ends: the other side learns nothing, not even that we are gone. */
  function hush(): void {
    for (const socket of sockets) {
      socket.unpipe();
      socket.removeAllListeners('data').removeAllListeners('end');
      socket.pause();
    }
  }

  await listen();
  return {
    ...{ port, cut, hush, mend: listen, close: cut },
    delay(ms) {
      delayMs = ms;
    },
  };
}
