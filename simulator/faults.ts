/** Faults and latency on demand, set for one model, for every model (`*`) or for STS (`sts`). */
import { z } from 'zod';
import { BEDROCK_ERRORS, STS_ERRORS } from './errors.ts';

/** Ways to spoil an answer that would have been good. */
export const SPOILS = [
  /** Without the token headers. */
  'headersMissing',
  /** An embedding answer's vectors as `{float: …}`. */
  'byType',
  /** An embedding answer's vectors bare. */
  'floats',
  /** One vector, generation, content block or result too few. */
  'short',
  /** `{}` */
  'empty',
  /** Not JSON at all. */
  'notJson',
] as const;
export type Spoil = (typeof SPOILS)[number];

/** HTTP header names, and values without line breaks. */
const headers = z.record(z.string().regex(/^[A-Za-z0-9-]+$/), z.string().regex(/^[^\r\n]*$/));

export const faultSchema = z
  .strictObject({
    /** AWS's error name. With `status` alone: an InternalServerException of that status. */
    name: z.string().min(1).optional(),
    /** HTTP status. Default: the one the name comes with, else 500. */
    status: z.int().min(400).max(599).optional(),
    /** Default: AWS's words for the name. */
    message: z.string().optional(),
    /** Close the connection instead of answering. */
    closeConnection: z.literal(true).optional(),
    /** Never answer; the connection stays open until the caller goes. */
    hang: z.literal(true).optional(),
    /** Answer with success, but spoilt. */
    answer: z.enum(SPOILS).optional(),
    /** Answer with success and this JSON value as the body, whatever was asked. */
    body: z.json().optional(),
    /** Further headers of the answer. */
    headers: headers.optional(),
    /** How many calls it strikes before it is used up. Default: every call. */
    times: z.int().min(1).optional(),
    /** How many calls it lets through first. Default 0. */
    skip: z.int().min(0).optional(),
    /** The share of calls it strikes, above 0 and up to 1. Default 1. */
    rate: z.number().gt(0).max(1).optional(),
    /** Milliseconds to wait, in addition to the model's latency, before it strikes. Default 0. */
    afterMs: z.number().min(0).max(600_000).optional(),
  })
  .superRefine((fault, context) => {
    const kinds = [
      fault.name !== undefined || fault.status !== undefined,
      fault.closeConnection !== undefined,
      fault.hang !== undefined,
      fault.answer !== undefined,
      fault.body !== undefined,
    ].filter(Boolean).length;
    const error = (message: string) => context.addIssue({ code: 'custom', message });
    if (kinds !== 1) error('give exactly one of: name and/or status, closeConnection, hang, answer, body');
    if (fault.message !== undefined && fault.name === undefined && fault.status === undefined) {
      error('message goes with name or status');
    }
    const unknown = fault.name !== undefined && !(fault.name in BEDROCK_ERRORS) && !(fault.name in STS_ERRORS);
    if (unknown && fault.status === undefined) error(`${fault.name} is no error name known here: give its status, too`);
  });

export type Fault = z.infer<typeof faultSchema>;

export interface Faults {
  /** Puts one fault, or several in order, in place of what was set for that model; null clears it. Throws ZodError. */
  setFault(model: string, fault: Fault | readonly Fault[] | null): void;
  /** Milliseconds before any answer to a well-signed call; 0 clears it. */
  setLatency(model: string, ms: number): void;
  /** The fault that strikes this call, if any. Counts the call. */
  take(model: string): Fault | undefined;
  latencyOf(model: string): number;
  reset(): void;
}

/** `*` stands for every model, not for STS. */
const EVERY_MODEL = '*';

export function createFaults(): Faults {
  const faults = new Map<string, { fault: Fault; seen: number; struck: number }[]>();
  const latencies = new Map<string, number>();
  let die = 1;
  /** A linear congruential generator: the same calls meet the same faults in every run. */
  const throwDie = () => {
    die = (Math.imul(die, 1_664_525) + 1_013_904_223) >>> 0;
    return die / 2 ** 32;
  };
  const namesOf = (model: string) => (model === 'sts' ? [model] : [model, EVERY_MODEL]);

  return {
    setFault(model, fault) {
      const list = fault === null ? [] : [fault].flat().map((one) => faultSchema.parse(one));
      faults.set(
        model,
        list.map((one) => ({ fault: one, seen: 0, struck: 0 })),
      );
    },
    setLatency: (model, ms) => void latencies.set(model, ms),
    take(model) {
      for (const entry of namesOf(model).flatMap((name) => faults.get(name) ?? [])) {
        const { times = Number.POSITIVE_INFINITY, skip = 0, rate = 1 } = entry.fault;
        if (entry.struck >= times) continue;
        entry.seen += 1;
        if (entry.seen <= skip || (rate < 1 && throwDie() >= rate)) continue;
        entry.struck += 1;
        return entry.fault;
      }
      return undefined;
    },
    latencyOf(model) {
      const set = namesOf(model).map((name) => latencies.get(name));
      return set.find((ms) => ms !== undefined) ?? 0;
    },
    reset() {
      faults.clear();
      latencies.clear();
      die = 1;
    },
  };
}

/** The spoilt body of an answer; undefined: not JSON. */
export function spoilBody(
  body: Readonly<Record<string, unknown>>,
  spoil: Spoil,
): Readonly<Record<string, unknown>> | undefined {
  switch (spoil) {
    case 'headersMissing':
      return body;
    case 'byType':
      return Array.isArray(body['embeddings'])
        ? { ...body, response_type: 'embeddings_by_type', embeddings: { float: body['embeddings'] } }
        : body;
    case 'floats':
      return isRecord(body['embeddings'])
        ? { ...body, response_type: 'embeddings_floats', embeddings: body['embeddings']['float'] }
        : body;
    case 'short':
      return Object.fromEntries(
        Object.entries(body).map(([key, value]) => [key, SHORTENED.has(key) ? shorten(value) : value]),
      );
    case 'empty':
      return {};
    case 'notJson':
      return undefined;
  }
}

const SHORTENED = new Set(['embeddings', 'generations', 'results', 'output']);

/** Takes the last item off every list that is not itself inside of a list. */
function shorten(value: unknown): unknown {
  if (Array.isArray(value)) return value.slice(0, -1);
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shorten(inner)]));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
