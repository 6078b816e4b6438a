/** A Redis Cluster of one node: it refuses keys of different slots in one script as any other does. */
import { Redis } from 'ioredis';
import { freePort } from '../../../devservers/ports.ts';
import { startRedis } from '../../../devservers/redis-server.ts';
import type { Server } from '../../../devservers/server.ts';
import { until } from './live-catalog.ts';

export interface OneNodeOptions {
  /** Default: any free one. */
  readonly port?: number;
  /** The port that clients are told of: a proxy's. Default: its own. */
  readonly announcedPort?: number;
}

export async function startOneNodeCluster({ port, announcedPort }: OneNodeOptions = {}): Promise<Server> {
  // The usual bus port, 10,000 above, may not exist; and a node that never met another does not know its address.
  const bus = ['--cluster-port', String(await freePort()), '--cluster-announce-ip', '127.0.0.1'];
  const announced = announcedPort === undefined ? [] : ['--cluster-announce-port', String(announcedPort)];
  const server = await startRedis({ port, args: ['--cluster-enabled', 'yes', ...bus, ...announced] });
  const node = new Redis(server.url);
  await node.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
  await until(async () => String(await node.call('CLUSTER', 'INFO')).includes('cluster_state:ok'), 10_000);
  node.disconnect();
  return server;
}
