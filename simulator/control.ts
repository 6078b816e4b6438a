/**
 * The control endpoint, unsigned JSON under `/_control/`: the same functions that `Simulator` has in process. Every body
 * is checked strictly; a fault in one answers 400 with what is wrong and where.
 */
import { z } from 'zod';
import type { CallFilter, CallReport } from './calls.ts';
import type { StaticCredentials } from './credentials.ts';
import { type AnswerSettings, DEFAULT_ANSWERS } from './families/family.ts';
import { type Fault, faultSchema } from './faults.ts';
import { FAMILIES, type HostedModel } from './models.ts';
import type { Role } from './roles.ts';
import type { StsSettings } from './sts.ts';

/** Everything that can be set and asked while the simulator runs. */
export interface Control {
  /** Sets what goes wrong for a model (its id or ARN as callers name it), `*` or `sts`; replaces what was set, null clears. */
  setFault(model: string, fault: Fault | readonly Fault[] | null): void;
  /** Milliseconds before any answer of a model, `*` or `sts`; 0 clears. */
  setLatency(model: string, ms: number): void;
  addCredentials(credentials: StaticCredentials): void;
  /** False when the key was not known. */
  revokeCredentials(accessKeyId: string): boolean;
  setRole(role: Role): void;
  setSts(settings: StsSettings): void;
  setAnswers(settings: Partial<AnswerSettings>): void;
  host(model: HostedModel): void;
  calls(filter?: CallFilter): CallReport;
  clearCalls(): void;
  /** As at the start; issued temporary credentials stay valid. */
  reset(): void;
}

export interface ControlAnswer {
  readonly status: number;
  readonly body: unknown;
}

const model = z.string().min(1);
const arn = z.string().startsWith('arn:aws');
const routes: Record<string, (body: unknown, control: Control) => unknown> = {
  'POST faults': route(
    z.strictObject({ model, fault: z.union([faultSchema, z.array(faultSchema).min(1), z.null()]) }),
    (body, control) => control.setFault(body.model, body.fault),
  ),
  'POST latency': route(z.strictObject({ model, ms: z.number().min(0).max(600_000) }), (body, control) =>
    control.setLatency(body.model, body.ms),
  ),
  'POST credentials': route(
    z.union([
      z.strictObject({
        accessKeyId: z.string().regex(/^[A-Z0-9]{16,128}$/),
        secretAccessKey: z.string().min(1),
        user: z.string().min(1).optional(),
      }),
      z.strictObject({ revoke: z.string().min(1) }),
    ]),
    (body, control) =>
      'revoke' in body ? { known: control.revokeCredentials(body.revoke) } : control.addCredentials(body),
  ),
  'POST roles': route(
    z.strictObject({
      arn: arn.regex(/:role\//),
      externalId: z.string().min(2).optional(),
      maxSeconds: z.int().min(900).max(43_200).optional(),
      trusts: z.array(z.string().min(1)).optional(),
    }),
    (body, control) => control.setRole(body),
  ),
  'POST sts': route(z.strictObject({ lifetimeMs: z.number().gt(0).optional() }), (body, control) =>
    control.setSts(body),
  ),
  'POST answers': route(
    z.strictObject({
      embedV4Unasked: z.enum(['by-type', 'floats']).default(DEFAULT_ANSWERS.embedV4Unasked),
      commandRFinishReasons: z.enum(['upper', 'lower']).default(DEFAULT_ANSWERS.commandRFinishReasons),
    }),
    (body, control) => control.setAnswers(body),
  ),
  'POST models': route(
    z.strictObject({ arn, family: z.enum(FAMILIES), maxTokens: z.int().min(1).optional() }),
    (body, control) => control.host(body),
  ),
  'GET calls': route(
    z.strictObject({ modelId: model.optional(), limit: z.coerce.number().int().min(0).optional() }),
    (filter, control) => control.calls(filter),
  ),
  'DELETE calls': (_, control) => control.clearCalls(),
  'POST reset': (_, control) => control.reset(),
  'GET health': () => ({ status: 'ok' }),
};

function route<Body>(schema: z.ZodType<Body>, act: (body: Body, control: Control) => unknown) {
  return (body: unknown, control: Control) => act(schema.parse(body), control);
}

/** Answers `METHOD /_control/NAME?query`. A GET takes its body from the query. */
export function answerControl(
  request: { method: string; name: string; query: string; body: Buffer },
  control: Control,
): ControlAnswer {
  const chosen = routes[`${request.method} ${request.name}`];
  if (chosen === undefined) {
    return { status: 404, body: { message: `Unknown. There are: ${Object.keys(routes).join(', ')}` } };
  }
  try {
    const body =
      request.method === 'POST' ? parseJson(request.body) : Object.fromEntries(new URLSearchParams(request.query));
    return { status: 200, body: chosen(body, control) ?? { ok: true } };
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return { status: 400, body: { message: `Not JSON: ${thrown.message}` } };
    if (thrown instanceof z.ZodError) return { status: 400, body: { message: z.prettifyError(thrown) } };
    return { status: 500, body: { message: String(thrown) } };
  }
}

function parseJson(body: Buffer): unknown {
  return body.length === 0 ? {} : JSON.parse(body.toString('utf8'));
}
