import { ServiceError } from '../../errors.ts';
import type { ChatTurn, ToolCall, ToolResult } from '../../integrations/codec.ts';
import type { ToolCallInput } from '../inputs/chat-inputs.ts';

interface Entry {
  readonly call: ToolCall;
  result?: ToolResult;
}

/** Calls of tools that stand together in a conversation, and the results that have come for them so far. */
interface Exchange {
  readonly field: string;
  readonly calls: Entry[];
  /** How many calls have no result yet. */
  waiting: number;
  readonly byReference: Map<string, Line>;
  readonly byName: Map<string, Line>;
}

/** Calls in their order; those before `next` have their results. */
interface Line {
  readonly entries: Entry[];
  next: number;
}

/** Brings calls and results together, in whatever order a history tells them. `field` is the message's place. */
export interface ToolExchanges {
  call(field: string, given: ToolCallInput): void;
  /** Of the call with its `taskReferenceName`, else of the first of its name; one without its call brings the call along. */
  result(field: string, given: ToolCallInput): void;
  /** Before anything else is said. Throws INPUT_INVALID where a call has no result. */
  end(before: string): void;
}

export function createToolExchanges(turns: ChatTurn[]): ToolExchanges {
  const ids = new Set<string>();
  const nextTime = new Map<string, number>();
  let exchange: Exchange | undefined;

  /** That of calls which wait for results still, or a new one: the model had those results when it went on. */
  function openOne(field: string): Exchange {
    if (exchange === undefined || exchange.waiting === 0) {
      end(field);
      exchange = { field, calls: [], waiting: 0, byReference: new Map(), byName: new Map() };
    }
    return exchange;
  }

  function addCall(to: Exchange, given: ToolCallInput): Entry {
    const reference = given.taskReferenceName ?? undefined;
    const added: Entry = { call: { id: newId(reference), name: given.name, parameters: parametersOf(given) } };
    to.calls.push(added);
    to.waiting += 1;
    if (reference !== undefined) lineUp(to.byReference, reference, added);
    lineUp(to.byName, given.name, added);
    return added;
  }

  /** A loop runs the same task many times; ids differ all the same. */
  function newId(reference: string | undefined): string {
    const base = reference ?? 'call';
    let id = reference ?? `call-${ids.size + 1}`;
    while (ids.has(id)) {
      // Goes on where it stopped: to count from 2 each time would take the square of the calls.
      const time = nextTime.get(base) ?? 2;
      nextTime.set(base, time + 1);
      id = `${base}-${time}`;
    }
    ids.add(id);
    return id;
  }

  function end(before: string): void {
    if (exchange === undefined) return;
    const { calls, field } = exchange;
    const results = calls.flatMap(({ result }) => result ?? []);
    const missing = calls.find(({ result }) => result === undefined);
    if (missing !== undefined) {
      const message = `Input ${field}: the call of ${missing.call.name} has no result before ${before}; a message of the role tool gives it`;
      throw new ServiceError('INPUT_INVALID', message, { field });
    }
    exchange = undefined;
    turns.push({ role: 'tool-calls', field, calls: calls.map(({ call }) => call) });
    turns.push({ role: 'tool-results', field, results });
  }

  return {
    call: (field, given) => void addCall(openOne(field), given),
    result(field, given) {
      const to = openOne(field);
      const { taskReferenceName: reference } = given;
      const asked = firstWaiting(reference ? to.byReference.get(reference) : to.byName.get(given.name));
      const entry = asked ?? addCall(to, given);
      to.waiting -= 1;
      entry.result = { call: entry.call, output: given.output };
    },
    end,
  };
}

function lineUp(lines: Map<string, Line>, key: string, entry: Entry): void {
  const line = lines.get(key);
  if (line === undefined) lines.set(key, { entries: [entry], next: 0 });
  else line.entries.push(entry);
}

function firstWaiting(line: Line | undefined): Entry | undefined {
  if (line === undefined) return undefined;
  while (line.entries[line.next]?.result !== undefined) line.next += 1;
  return line.entries[line.next];
}

/** The name of the tool goes along as `method` in a call that Conductor runs; it is no parameter of the model's. */
function parametersOf({ name, inputParameters }: ToolCallInput): Readonly<Record<string, unknown>> {
  const { method, ...rest } = inputParameters ?? {};
  return method === undefined || method === name ? rest : { method, ...rest };
}
