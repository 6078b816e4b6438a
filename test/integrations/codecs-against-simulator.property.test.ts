/** Codecs and the simulator's families know nothing of each other; both are written from AWS's documents. Here they meet. */
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { answerCommand } from '../../simulator/families/command.ts';
import { answerCommandR } from '../../simulator/families/command-r.ts';
import { answerConverse } from '../../simulator/families/converse.ts';
import { DEFAULT_ANSWERS, type FamilyAnswer } from '../../simulator/families/family.ts';
import { readConversation } from '../../src/calls/conversation.ts';
import { ServiceError } from '../../src/errors.ts';
import type {
  BedrockAnswer,
  BedrockCall,
  ChatRequest,
  ChatTool,
  Generation,
  TextRequest,
} from '../../src/integrations/codec.ts';
import { codecFor } from '../../src/integrations/codecs.ts';
import { type ChatInputs, chatInputs, type Family, generation, outOfRange } from './support/drawn-requests.ts';

// Thousands of runs take their time on a busy machine.
vi.setConfig({ testTimeout: 60_000 });
const RUNS = { numRuns: 1_500 };
const FAMILIES = ['command', 'command-r', 'converse'] as const;
const CHATTING = ['command-r', 'converse'] as const;

/** As Bedrock would: over the wire everything is JSON, bytes are base64. Throws AwsError. */
function ask(family: Family, call: BedrockCall): BedrockAnswer {
  const sent = call.operation === 'InvokeModel' ? call.body : call.input;
  const body: unknown = JSON.parse(
    JSON.stringify(sent, (_, value) => (value?.type === 'Buffer' ? Buffer.from(value.data).toString('base64') : value)),
  );
  const context = { settings: DEFAULT_ANSWERS, family, modelName: 'arn:x', maxTokens: undefined };
  const answering = {
    command: answerCommand,
    'command-r': (given: unknown) => answerCommandR(given, context),
    // A limit of the model's own, which Converse's documents do not know.
    converse: (given: unknown) => answerConverse(given, { ...context, maxTokens: Number.MAX_SAFE_INTEGER }),
  } satisfies Record<Family, (given: unknown) => FamilyAnswer>;
  return { body: answering[family](body).body, tokens: {} };
}

const refusedBySimulator = (family: Family, call: BedrockCall): boolean => {
  try {
    ask(family, call);
    return false;
  } catch (error) {
    expect(error).toMatchObject({ name: 'ValidationException' });
    return true;
  }
};

const fieldRefused = (act: () => unknown): string | undefined => {
  try {
    act();
  } catch (error) {
    if (error instanceof ServiceError && error.code === 'INPUT_INVALID') return error.field ?? '';
    throw error;
  }
  return undefined;
};

function textOf(family: Family) {
  const { text } = codecFor(family);
  if (text === undefined) throw new Error(`${family} completes texts`);
  return text;
}

describe.each(FAMILIES)('any text request to %s', (family) => {
  const codec = textOf(family);
  const requests = fc
    .record({ prompt: fc.string({ minLength: 1 }).filter((text) => text.trim() !== ''), given: generation(family) })
    .map(({ prompt, given }): TextRequest => ({ prompt, ...given }));

  it('that is valid is refused neither by the codec nor by the simulator, and its answer can be read', () => {
    fc.assert(
      fc.property(requests, (request) => {
        const { completions } = codec.decode(ask(family, codec.encode(request)));
        expect(completions).toHaveLength(request.maxResults ?? 1);
      }),
      RUNS,
    );
  });

  it('that is invalid does not get through the codec; the simulator would refuse it, too', () => {
    fc.assert(
      fc.property(requests, outOfRange(family), (request, [name, value]) => {
        const invalid = { ...request, [name]: value } as TextRequest;
        expect(fieldRefused(() => codec.encode(invalid))).toBe(name);
        const { operation, ...rest } = codec.encode({ ...request, [name]: undefined });
        const wrong = withWord(family, { operation, ...rest } as BedrockCall, name as keyof Generation, value);
        if (wrong !== undefined) expect(refusedBySimulator(family, wrong)).toBe(true);
      }),
      RUNS,
    );
  });
});

/** The family's own words, once more by hand. What is not here never reaches Bedrock. */
const WORDS: Readonly<Record<Family, Readonly<Partial<Record<keyof Generation, string>>>>> = {
  command: { maxTokens: 'max_tokens', temperature: 'temperature', topP: 'p', topK: 'k', maxResults: 'num_generations' },
  'command-r': {
    maxTokens: 'max_tokens',
    temperature: 'temperature',
    topP: 'p',
    topK: 'k',
    frequencyPenalty: 'frequency_penalty',
    presencePenalty: 'presence_penalty',
    seed: 'seed',
  },
  converse: { maxTokens: 'maxTokens', temperature: 'temperature', topP: 'topP' },
};

function withWord(family: Family, call: BedrockCall, name: keyof Generation, value: unknown): BedrockCall | undefined {
  const word = WORDS[family][name];
  // JSON knows no NaN or Infinity.
  if (word === undefined || (typeof value === 'number' && !Number.isFinite(value))) return undefined;
  if (call.operation === 'InvokeModel') return { ...call, body: { ...call.body, [word]: value } };
  return { ...call, input: { ...call.input, inferenceConfig: { ...call.input.inferenceConfig, [word]: value } } };
}

describe.each(CHATTING)('any conversation with %s', (family) => {
  const { chat } = codecFor(family);
  if (chat === undefined) throw new Error(`${family} chats`);

  it('that is valid is refused by nobody, its answer can be read, and a call of a tool can be answered', () => {
    fc.assert(
      fc.property(chatInputs(family), ({ messages, tools, documents, given }) => {
        const request = (more: Parameters<typeof readConversation>[0]): ChatRequest => {
          return { ...given, ...readConversation([...messages, ...more]), tools: tools as ChatTool[], documents };
        };
        const reply = chat.decode(ask(family, chat.encode(request([]))));
        const endsWithUser = messages.findLast(({ role }) => role !== 'system')?.role === 'user';
        expect(reply.toolCalls.length > 0).toBe(tools.length > 0 && endsWithUser);
        if (reply.toolCalls.length === 0) return;
        expect(reply.finishReason).toBe('TOOL_CALLS');
        const toolCalls = reply.toolCalls.map(({ id, name, parameters }) => {
          return { taskReferenceName: id, name, inputParameters: parameters };
        });
        const answered = toolCalls.map((call) => ({ ...call, output: { done: true } }));
        const next = request([
          { role: 'tool_call', toolCalls },
          { role: 'tool', toolCalls: answered },
        ]);
        const last = chat.decode(ask(family, chat.encode(next)));
        expect(last.toolCalls).toEqual([]);
        expect(['STOP', 'STOP_SEQUENCE', 'MAX_TOKENS']).toContain(last.finishReason);
      }),
      RUNS,
    );
  });

  it('that is invalid does not get through the codec', () => {
    const tool = { taskReferenceName: 'a', name: 'a', output: {} };
    const spoiled = fc.constantFrom<(input: ChatInputs) => ChatInputs>(
      (input) => ({ ...input, messages: [...input.messages, { role: 'user', message: ' ' }] }),
      (input) => ({ ...input, messages: [...input.messages, { role: 'tool_call', toolCalls: [tool] }] }),
      (input) => ({ ...input, messages: [...input.messages, { role: 'user', media: ['https://example.com/x.png'] }] }),
      (input) => ({ ...input, messages: [{ role: 'assistant', message: 'x' }] }),
      (input) => ({
        ...input,
        tools: [],
        messages: [
          { role: 'user', message: 'x' },
          { role: 'tool', toolCalls: [tool] },
        ],
      }),
      (input) => ({ ...input, given: { ...input.given, temperature: 1.5 } }),
      (input) => ({ ...input, given: { ...input.given, maxResults: 2 } }),
      (input) =>
        family === 'converse'
          ? { ...input, documents: [{ snippet: 'x' }] }
          : { ...input, messages: [{ role: 'user', media: ['data:image/png;base64,AAAA'] }] },
    );
    fc.assert(
      fc.property(chatInputs(family), spoiled, (input, spoil) => {
        const { messages, tools, documents, given } = spoil(input);
        const encode = () =>
          chat.encode({ ...given, ...readConversation(messages), tools: tools as ChatTool[], documents });
        expect(fieldRefused(encode)).toEqual(expect.any(String));
      }),
      RUNS,
    );
  });
});
