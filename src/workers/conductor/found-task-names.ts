import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { ServedType } from '../../config.ts';
import { messageOf } from '../../errors.ts';
import { createBackOff } from './back-off.ts';
import { createConductorMetadata, TooLarge } from './metadata.ts';
import type { ConductorSession } from './session.ts';
import { defineIfMissing, isFinalRefusal } from './task-definitions.ts';
import { tasksIn } from './workflow-tasks.ts';

/** Half to the whole of it, so that replicas started together do not list together. */
const LIST_INTERVAL_MS = 5 * 60_000;
/** Names that one worker looks at in its life: more than that are made by a program, and nobody wants a definition of each. */
const NAMES_AT_MOST = 1_000;
/** Workflow definitions read without a pause: a thousand of them would hold the event loop. */
const WORKFLOWS_A_TURN = 20;

export interface FoundTaskNamesParts {
  readonly session: ConductorSession;
  readonly served: readonly ServedType[];
  readonly log: Logger;
}

/** Registers what `registerTaskDefinitions` cannot know: names that workflow authors chose for tasks of our types. */
export interface FoundTaskNames {
  /** Looks through all workflow definitions now and about every five minutes; in the background. */
  start(): void;
  /** A task was polled. Costs nothing where it has a definition, or its name is known. */
  noticeTask(name: string, hasDefinition: boolean): void;
  /** Ends the background work, and waits for its end. */
  stop(): Promise<void>;
}

/**
 * Keeps every task name of our types protected by a definition, whoever thought of it; one that exists is never touched.
 * A name is registered at most once in the life of a worker: what an administrator deletes then stays away.
 */
export function createFoundTaskNames({ session, served, log }: FoundTaskNamesParts): FoundTaskNames {
  const types: ReadonlySet<string> = new Set(served.map(({ queue }) => queue));
  const metadata = createConductorMetadata({ session });
  const stopping = new AbortController();
  const { signal } = stopping;
  /** Names without a definition, as far as was seen, that have not been looked at yet. */
  const waiting = new Set<string>();
  const lookedAt = new Set<string>();
  const said = new Set<string>();
  let wake: AbortController | undefined;
  let running: Promise<void> | undefined;

  function sayOnce(about: string, fields: object, message: string): void {
    if (said.has(about)) return;
    said.add(about);
    log.warn(fields, message);
  }

  function want(name: string): void {
    if (name === '' || lookedAt.has(name) || waiting.has(name)) return;
    if (lookedAt.size + waiting.size >= NAMES_AT_MOST) {
      const message = `More than ${NAMES_AT_MOST} task names have no definition: the others are left without`;
      return sayOnce('many', { name }, message);
    }
    waiting.add(name);
  }

  async function look(): Promise<void> {
    const workflows = await metadata.workflowDefinitions(signal);
    const defined = await metadata.definedTasks(signal);
    for (const [index, workflow] of workflows.entries()) {
      if (index % WORKFLOWS_A_TURN === 0) await turn(undefined, { signal });
      for (const task of tasksIn(workflow.tasks)) {
        // One that brings a definition of its own needs no other.
        if (types.has(task.type) && !task.taskDefinition && !defined.has(task.name)) want(task.name);
      }
    }
  }

  async function registerWaiting(): Promise<void> {
    const registered: string[] = [];
    try {
      for (const name of waiting) {
        try {
          if (await defineIfMissing(metadata, name, signal)) registered.push(name);
        } catch (error) {
          // Not before the others again, should it be this one that Conductor stumbles over.
          waiting.delete(name);
          if (!isFinalRefusal(error)) {
            waiting.add(name);
            throw error;
          }
          const message = 'Conductor refuses to register a task definition: such tasks may stay without timeouts';
          sayOnce('refused', { name, reason: messageOf(error) }, message);
        }
        lookedAt.add(name);
        waiting.delete(name);
      }
    } finally {
      if (registered.length > 0) log.info({ names: registered }, 'Task definitions registered');
    }
  }

  async function run(): Promise<void> {
    const backOff = createBackOff(1_000, 60_000);
    let lookAt = 0;
    while (!signal.aborted) {
      try {
        // What was noticed needs no list: one that cannot be had must not hold it up.
        await registerWaiting();
        if (performance.now() >= lookAt) {
          await look().catch((error) => {
            if (!isFinalRefusal(error) && !(error instanceof TooLarge)) throw error;
            const message = 'Workflow definitions cannot be listed: task names are only known once they are polled';
            sayOnce('list', { reason: messageOf(error) }, message);
          });
          lookAt = performance.now() + LIST_INTERVAL_MS * (0.5 + Math.random() / 2);
          await registerWaiting();
        }
        backOff.reset();
        said.delete('away');
        await untilWanted(lookAt - performance.now());
      } catch (error) {
        if (signal.aborted) return;
        sayOnce('away', { reason: messageOf(error) }, 'Conductor cannot be asked for definitions; trying again');
        await backOff.wait(signal);
      }
    }
  }

  async function untilWanted(ms: number): Promise<void> {
    if (waiting.size > 0) return;
    wake = new AbortController();
    await sleep(ms, undefined, { signal: AbortSignal.any([signal, wake.signal]) }).catch(() => undefined);
    wake = undefined;
  }

  return {
    start() {
      running ??= run();
    },
    noticeTask(name, hasDefinition) {
      if (hasDefinition) return;
      want(name);
      if (waiting.size > 0) wake?.abort();
    },
    async stop() {
      stopping.abort();
      await running;
      await metadata.close();
    },
  };
}
