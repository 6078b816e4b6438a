import { ServiceError } from '../errors.ts';
import type { ChatTurn, ToolCall, ToolResult } from '../integrations/codec.ts';
import type { ToolCallInput } from './chat-inputs.ts';

/** Calls of tools that stand together in a conversation, and the results that have come for them so far. */
interface Exchange {
  readonly field: string;
  readonly calls: { readonly call: ToolCall; readonly reference: string | undefined; result?: ToolResult }[];
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
  let exchange: Exchange | undefined;

  /** That of calls which wait for results still, or a new one: the model had those results when it went on. */
  function openOne(field: string): Exchange {
    if (exchange === undefined || exchange.calls.every(({ result }) => result !== undefined)) {
      end(field);
      exchange = { field, calls: [] };
    }
    return exchange;
  }

  function addCall(to: Exchange, given: ToolCallInput) {
    const reference = given.taskReferenceName ?? undefined;
    const call = { id: newId(reference), name: given.name, parameters: parametersOf(given) };
    const added: Exchange['calls'][number] = { call, reference };
    to.calls.push(added);
    return added;
  }

  /** A loop runs the same task many times; ids differ all the same. */
  function newId(reference: string | undefined): string {
    let id = reference ?? `call-${ids.size + 1}`;
    for (let time = 2; ids.has(id); time += 1) id = `${reference ?? 'call'}-${time}`;
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
      const asked = to.calls.find(
        ({ call, reference, result }) =>
          result === undefined &&
          (given.taskReferenceName ? reference === given.taskReferenceName : call.name === given.name),
      );
      const entry = asked ?? addCall(to, given);
      entry.result = { call: entry.call, output: given.output };
    },
    end,
  };
}

/** The name of the tool goes along as `method` in a call that Conductor runs; it is no parameter of the model's. */
function parametersOf({ name, inputParameters }: ToolCallInput): Readonly<Record<string, unknown>> {
  const { method, ...rest } = inputParameters ?? {};
  return method === undefined || method === name ? rest : { method, ...rest };
}
