import { connect, createServer, type Socket } from 'node:net';
import { freePort } from '../../devservers/ports.ts';

/** One command as the client sent it: `['HSET', 'key', …]`. */
export type Words = readonly string[];

/** When something happens to a command: before any of its bytes arrives, when half of them have, or when all have and the reply is withheld. */
export type Moment = 'before' | 'amid' | 'after';

export interface Strike {
  /** The command it comes upon: told its words, and how many commands came before on any connection since `arm`. */
  readonly on: (words: Words, index: number) => boolean;
  readonly moment: Moment;
  /** What happens then, such as the death of the server. Every connection is cut after it. */
  readonly act: () => Promise<void>;
}

/** A proxy before a Redis that strikes at one certain command, so that a fault amid a write needs no luck with the time. */
export interface FaultProxy {
  readonly port: number;
  /** Resolves once it has struck. Commands are counted anew. */
  arm(strike: Strike): Promise<void>;
  /** Strikes no more; answers the commands since the last `arm` or `disarm`. */
  disarm(): readonly Words[];
  close(): Promise<void>;
}

export async function startFaultProxy(target: { readonly host: string; readonly port: number }): Promise<FaultProxy> {
  const sockets = new Set<Socket>();
  let seen: Words[] = [];
  let armed: { readonly strike: Strike; readonly done: () => void } | undefined;
  /** From a strike until its end nothing passes in either direction. */
  let silent = false;

  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
  };

  async function strikeNow({ strike, done }: NonNullable<typeof armed>): Promise<void> {
    armed = undefined;
    await strike.act();
    for (const socket of sockets) socket.destroy();
    silent = false;
    done();
  }

  const server = createServer((client) => {
    const upstream = connect(target.port, target.host);
    keep(client);
    keep(upstream);
    client.setNoDelay();
    upstream.setNoDelay();
    let held = Buffer.alloc(0);
    client.on('data', (chunk) => {
      held = Buffer.concat([held, chunk]);
      for (let command = firstCommand(held); command !== undefined; command = firstCommand(held)) {
        const bytes = held.subarray(0, command.length);
        held = held.subarray(command.length);
        if (silent) continue;
        const index = seen.push(command.words) - 1;
        if (!armed?.strike.on(command.words, index)) {
          upstream.write(bytes);
          continue;
        }
        const { moment } = armed.strike;
        const part = { before: bytes.subarray(0, 0), amid: bytes.subarray(0, bytes.length >> 1), after: bytes }[moment];
        const struck = armed;
        silent = true;
        upstream.write(part, () => void strikeNow(struck));
      }
    });
    upstream.on('data', (chunk) => void (silent || !client.writable || client.write(chunk)));
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => void (silent || client.destroy()));
  });
  const port = await freePort();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });

  return {
    port,
    arm(strike) {
      seen = [];
      return new Promise((resolve) => {
        armed = { strike, done: resolve };
      });
    },
    disarm() {
      const commands = seen;
      armed = undefined;
      seen = [];
      return commands;
    },
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** The first whole command of what a client sent (RESP: an array of bulk strings); undefined while it is incomplete. */
function firstCommand(bytes: Buffer): { readonly words: string[]; readonly length: number } | undefined {
  const head = line(bytes, 0);
  if (head === undefined) return undefined;
  const words: string[] = [];
  let at = head.end;
  for (let word = 0; word < Number(head.text.slice(1)); word += 1) {
    const size = line(bytes, at);
    if (size === undefined) return undefined;
    const end = size.end + Number(size.text.slice(1));
    if (bytes.length < end + 2) return undefined;
    words.push(bytes.toString('utf8', size.end, end));
    at = end + 2;
  }
  return { words, length: at };
}

function line(bytes: Buffer, from: number): { readonly text: string; readonly end: number } | undefined {
  const end = bytes.indexOf('\r\n', from);
  return end === -1 ? undefined : { text: bytes.toString('latin1', from, end), end: end + 2 };
}
