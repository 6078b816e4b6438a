import { readFile } from 'node:fs/promises';
import { text as textOf } from 'node:stream/consumers';
import { z } from 'zod';
import { createDirectCaller } from '../calls/direct-caller.ts';
import type { DirectAnswer } from '../calls/direct-calls.ts';
import type { TaskInput } from '../calls/inputs/read-inputs.ts';
import { CALL_KINDS } from '../calls/kinds/kinds.ts';
import { type CallResult, tokenOutputs } from '../calls/plan.ts';
import { loadSnapshot } from '../catalog/load.ts';
import type { TaskType } from '../config.ts';
import { messageOf, ServiceError } from '../errors.ts';
import { splitQualified } from '../integrations/names.ts';
import { parseJson } from '../parsing.ts';
import { parseSubject, type Subject } from '../rbac/subject.ts';
import { openConnection, RUNTIME_CONNECTION } from '../redis/connect.ts';
import { createDenialRecorder } from '../telemetry/denials.ts';
import { createLog } from '../telemetry/log.ts';
import { visible } from '../visible.ts';
import { unknownSubject } from './known-subjects.ts';
import { shown, typeOf } from './run-forms.ts';
import type { Terminal } from './terminal.ts';
import { type Installation, type Variables, withRedis } from './with-redis.ts';

/** `run`, as typed. */
export interface RunQuestion {
  /** `provider:model`. */
  readonly model: string;
  readonly taskType?: TaskType | undefined;
  readonly text?: string | undefined;
  readonly prompt?: string | undefined;
  readonly promptName?: string | undefined;
  readonly promptVersion?: string | undefined;
  /** `name=value`. */
  readonly variables: readonly string[];
  /** A file of JSON with task inputs, or `-`; flags go before what it says. */
  readonly input?: string | undefined;
  /** As whom; undefined: nobody is asked for. */
  readonly as?: string | undefined;
}

export interface RunSurroundings {
  readonly terminal: Terminal;
  readonly stdin: NodeJS.ReadableStream;
  readonly variables: Variables;
}

/** How long the call may take to end once somebody stops the command, in milliseconds: nothing waits for it. */
const DRAIN_MS = 0;

/**
 * Calls one model once, as a task would: by the records of this moment, in the model's lane, counted. Resolves to 0; throws
 * USAGE for what makes no call, and what a task would fail with, which `--output json` shows as a task does.
 */
export async function runModel(question: RunQuestion, surroundings: RunSurroundings): Promise<number> {
  const { terminal, stdin, variables } = surroundings;
  const subject = readSubject(question.as);
  const input = await readInput(question, stdin);
  const type = question.taskType ?? typeOf(input);
  try {
    const made = await withRedis(variables, (installation) =>
      callOnce(installation, { type, input, subject }, surroundings),
    );
    const output = { ...made.output, ...tokenOutputs(made.tokens) };
    for (const note of made.notes) terminal.warn(note);
    terminal.sayText(shown(output['result']));
    terminal.say(terminal.faint(`\n${visible(facts(output))}`));
    terminal.result(output);
    return 0;
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    for (const note of error.notes) terminal.warn(note);
    throw new ServiceError(error.code, `${error.message} (${error.code})`, { field: error.field, cause: error });
  }
}

interface Call {
  readonly type: TaskType;
  readonly input: TaskInput;
  readonly subject: Subject | undefined;
}

async function callOnce(
  { redis, names, config }: Installation,
  { type, input, subject }: Call,
  { terminal, variables }: RunSurroundings,
): Promise<DirectAnswer> {
  const snapshot = await loadSnapshot(redis, names);
  if (subject === undefined) {
    terminal.warn(
      'Nobody was asked for: this runs with the rights of whoever reads Redis. See what USER:x may with --as',
    );
  } else {
    const unknown = unknownSubject(snapshot, subject);
    if (unknown !== undefined) terminal.warn(unknown);
  }
  const log = createLog('silent');
  const denials = createDenialRecorder({ redis, stream: names.denials, log });
  const runtime = openConnection(config.redis, 'bedrock-cohere-cli-runtime', log, RUNTIME_CONNECTION);
  await runtime.connect();
  const caller = createDirectCaller({
    ...{ redis: runtime, names, denials, log, label: 'run', mode: subject === undefined ? 'off' : 'enforce' },
    catalog: { current: () => snapshot, onChange: () => undefined },
    mayDecide: () => true,
    secrets: { variables, ...config.secrets },
  });
  try {
    // A user of Redis without the rights would else wait in vain for a place of the model.
    await caller.look();
    caller.start();
    return await caller.run({
      kind: CALL_KINDS[type],
      input,
      subject: subject && (() => ({ kind: 'known', subject, source: 'operator', mayBeAdmin: true })),
      signal: new AbortController().signal,
    });
  } finally {
    await caller.stop(DRAIN_MS);
    await denials.flush();
    runtime.disconnect();
  }
}

function readSubject(text: string | undefined): Subject | undefined {
  if (text === undefined) return undefined;
  const subject = parseSubject(text);
  if (subject !== undefined) return subject;
  throw new ServiceError('USAGE', `run: --as "${text}" is not USER:x, GROUP:x, ROLE:x, app:x or a user id`);
}

async function readInput(question: RunQuestion, stdin: NodeJS.ReadableStream): Promise<TaskInput> {
  const model = splitQualified(question.model);
  if (model === undefined) throw new ServiceError('USAGE', `run: "${question.model}" is not provider:model`);
  const { text, prompt, promptName, promptVersion } = question;
  const given = Object.entries({ text, prompt, promptName, promptVersion }).filter(([, value]) => value !== undefined);
  const file = question.input === undefined ? {} : await readInputFile(question.input, stdin);
  const promptVariables = {
    ...(file['promptVariables'] as object | undefined),
    ...Object.fromEntries(question.variables.map(readVariable)),
  };
  return {
    ...file,
    ...Object.fromEntries(given),
    ...(question.variables.length === 0 ? {} : { promptVariables }),
    ...{ llmProvider: model.integration, model: model.model },
  };
}

const inputObject = z.record(z.string(), z.unknown());

async function readInputFile(path: string, stdin: NodeJS.ReadableStream): Promise<Record<string, unknown>> {
  const text = await (path === '-' ? textOf(stdin) : readFile(path, 'utf8')).catch((cause: unknown) => {
    throw new ServiceError('USAGE', `run: --input ${path} cannot be read: ${messageOf(cause)}`, { cause });
  });
  const read = parseJson(text, inputObject);
  if (!read.ok) throw new ServiceError('USAGE', `run: --input ${path} is not a JSON object with the inputs of a task`);
  return read.value;
}

function readVariable(text: string): [string, string] {
  const [name = '', value] = text.split(/=(.*)/s);
  if (name === '' || value === undefined) throw new ServiceError('USAGE', `run: --var "${name}" is not name=value`);
  return [name, value];
}

function facts({ finishReason, promptTokens, completionTokens }: CallResult['output']): string {
  const known = [
    finishReason === undefined ? [] : [`finishReason ${finishReason}`],
    promptTokens === undefined ? [] : [`prompt tokens ${promptTokens}`],
    completionTokens === undefined ? [] : [`completion tokens ${completionTokens}`],
  ].flat();
  return known.length === 0 ? 'no count of tokens' : known.join(', ');
}
