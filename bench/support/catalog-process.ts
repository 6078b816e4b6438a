import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { bareEnvironment } from '../../devservers/cli-from-source.ts';
import type { TargetId } from '../../src/rbac/grants.ts';
import type { SubjectId } from '../../src/rbac/subject.ts';
import type { AccessWorldSize } from './access-world.ts';

type Question =
  | { readonly kind: 'load' | 'reload' | 'memory' }
  | { readonly kind: 'decisions'; readonly size: AccessWorldSize; readonly count: number }
  /** When the catalog shows it, in milliseconds since 1970 with their fractions. */
  | { readonly kind: 'grant'; readonly subject: SubjectId; readonly target: TargetId }
  | { readonly kind: 'member'; readonly user: string; readonly group: string }
  | { readonly kind: 'user'; readonly user: string; readonly name: string }
  /** When the access key is known to be switched off. */
  | { readonly kind: 'switched-off'; readonly key: string };

export type Ask = Question & { readonly id: number };

export interface Answer {
  readonly id: number;
  readonly value: unknown;
}

export interface CatalogProcess extends AsyncDisposable {
  readonly processId: number;
  /** Rejects when the process has ended. */
  ask<T>(question: Question): Promise<T>;
}

const PROGRAM = fileURLToPath(new URL('../programs/catalog.ts', import.meta.url));
/** `gc()`: what counts is alive, not what is still to be collected. */
const FLAGS = ['--expose-gc'];

/** A catalog in a process of its own, not yet loaded. It ends with this one. */
export async function startCatalogProcess(redisUrl: string, prefix: string): Promise<CatalogProcess> {
  const child = fork(PROGRAM, [redisUrl, prefix], {
    ...{ execArgv: FLAGS, env: bareEnvironment() },
    // What it logs is no result.
    stdio: ['ignore', 2, 2, 'ipc'],
  });
  const open = new Map<number, PromiseWithResolvers<unknown>>();
  const up = Promise.withResolvers<unknown>();
  open.set(0, up);
  let asked = 0;
  const ended = new Promise<void>((resolve) => {
    child.once('exit', (code) => {
      for (const { reject } of open.values()) reject(new Error(`the catalog's process ended with exit code ${code}`));
      resolve();
    });
  });
  child.on('message', ({ id, value }: Answer) => {
    open.get(id)?.resolve(value);
    open.delete(id);
  });
  await up.promise;
  return {
    processId: child.pid as number,
    async ask<T>(question: Question) {
      asked += 1;
      const answer = Promise.withResolvers<unknown>();
      open.set(asked, answer);
      child.send({ ...question, id: asked } satisfies Ask);
      return (await answer.promise) as T;
    },
    async [Symbol.asyncDispose]() {
      if (child.connected) child.disconnect();
      await ended;
    },
  };
}
