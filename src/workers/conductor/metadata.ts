import type { TaskDef } from '@io-orkes/conductor-javascript';
import { type Dispatcher, Pool } from 'undici';
import { z } from 'zod';
import { ConductorRefusal } from './conductor.ts';
import type { ConductorSession } from './session.ts';

/**
 * Conductor's definitions of tasks and workflows. Not by the SDK: that hides the status of an answer, tries again by
 * itself for seconds and cannot be told to stop. Each call rejects with ConductorRefusal, or with undici's error when
 * there was no answer, or the signal's reason.
 */
export interface ConductorMetadata {
  /** Names of all registered task definitions. */
  definedTasks(signal: AbortSignal): Promise<Set<string>>;
  /** Asked of Conductor's store: a definition that another server of it has just made is seen. */
  isTaskDefined(name: string, signal: AbortSignal): Promise<boolean>;
  /** Conductor overwrites one of that name (MetadataServiceImpl.registerTaskDef); it has no call that would not. */
  defineTask(definition: TaskDef & { name: string }, signal: AbortSignal): Promise<void>;
  /** Every version of every workflow definition, as it is. Rejects with TooLarge, too. */
  workflowDefinitions(signal: AbortSignal): Promise<readonly { readonly tasks?: unknown }[]>;
  close(): Promise<void>;
}

export class TooLarge extends Error {
  override readonly name = 'TooLarge';
}

const ANSWER_TIMEOUT_MS = 10_000;
/** All workflow definitions may be many megabytes, and are nothing that anybody waits for. */
const LIST_TIMEOUT_MS = 60_000;
/** A larger list is not read: it would hold memory and the event loop of a worker that has tasks to run. */
const LIST_MB_AT_MOST = 64;

/** Conductor's web server answers 400 where a path holds an encoded slash, among others. */
const FITS_A_PATH = /^[\w:-][\w.: -]*$/;

const taskDefinitions = z.array(z.object({ name: z.string() }));
const workflowDefinitions = z.array(z.looseObject({}));

export function createConductorMetadata({ session }: { session: ConductorSession }): ConductorMetadata {
  const { origin, pathname } = new URL(session.apiUrl);
  const pool = new Pool(origin, { connections: 1, connect: { timeout: ANSWER_TIMEOUT_MS } });

  async function call(
    method: Dispatcher.HttpMethod,
    path: string,
    { signal, body, withinMs = ANSWER_TIMEOUT_MS }: { signal: AbortSignal; body?: unknown; withinMs?: number },
  ): Promise<string> {
    const within = AbortSignal.any([signal, AbortSignal.timeout(withinMs)]);
    const authentication = await unlessAborted(session.headers(), within);
    const response = await pool.request({
      method,
      path: `${pathname}/metadata${path}`,
      headers: { accept: 'application/json', 'content-type': 'application/json', ...authentication },
      body: body === undefined ? null : JSON.stringify(body),
      signal: within,
    });
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > LIST_MB_AT_MOST * 1024 * 1024) throw new TooLarge(`more than ${LIST_MB_AT_MOST} MB`);
      chunks.push(chunk);
    }
    const text = Buffer.concat(chunks).toString();
    if (response.statusCode === 401 || response.statusCode === 403) session.renew();
    if (response.statusCode >= 300) throw new ConductorRefusal(`${method} metadata${path}`, response.statusCode, text);
    return text;
  }

  async function definedTasks(signal: AbortSignal): Promise<Set<string>> {
    const list = taskDefinitions.safeParse(parsed(await call('GET', '/taskdefs', { signal })));
    if (!list.success) throw notConductor();
    return new Set(list.data.map(({ name }) => name));
  }

  return {
    definedTasks,
    async isTaskDefined(name, signal) {
      if (!FITS_A_PATH.test(name)) return (await definedTasks(signal)).has(name);
      try {
        const text = await call('GET', `/taskdefs/${encodeURIComponent(name)}`, { signal });
        return text !== '' && text !== 'null';
      } catch (error) {
        if (error instanceof ConductorRefusal && error.status === 404 && error.isConductors) return false;
        throw error;
      }
    },
    async defineTask(definition, signal) {
      await call('POST', '/taskdefs', { signal, body: [definition] });
    },
    async workflowDefinitions(signal) {
      const list = workflowDefinitions.safeParse(
        parsed(await call('GET', '/workflow', { signal, withinMs: LIST_TIMEOUT_MS })),
      );
      if (!list.success) throw notConductor();
      return list.data;
    },
    close: () => pool.destroy(),
  };
}

/** The SDK's login cannot be told to stop. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort);
  promise.catch(() => undefined);
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw notConductor();
  }
}

function notConductor(): Error {
  return new Error('the answer is not a list of definitions; is it a Conductor?');
}
