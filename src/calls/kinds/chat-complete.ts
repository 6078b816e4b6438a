import { randomUUID } from 'node:crypto';
import { failureOf, ServiceError } from '../../errors.ts';
import { answerInvalid } from '../../integrations/answers.ts';
import type { ChatReply, ChatRequest, Family, ToolCall } from '../../integrations/codec.ts';
import { cachedWhole } from '../from-cache.ts';
import {
  type ChatMessage,
  chatCompleteInput,
  isPromptName,
  NOT_SERVED,
  says,
  type ToolSpec,
} from '../inputs/chat-inputs.ts';
import { readInput, type TaskInput } from '../inputs/read-inputs.ts';
import { type CallKind, DEFAULT_MAX_TOKENS, estimateTokens } from '../plan.ts';
import { readConversation } from './conversation.ts';
import { jsonIn, parseJsonText } from './json-text.ts';
import { blaming, filledIn, literalPrompt, notUsed, type PromptText, renderNamedPrompt } from './named-prompt.ts';
import { modelUnfit } from './unfit.ts';

/** Of a tool's name that nobody offered: Bedrock's own are at most 64 long. */
const SHOWN_NAME_CHARACTERS = 64;

/**
 * LLM_CHAT_COMPLETE: the next message of a conversation. Orkes: "LLM Chat Complete" task. Shapes of messages, tools and calls of tools are
 * those of the open-source server (conductor-oss/conductor, ai/src/main/java/org/conductoross/conductor/ai/model/), so that
 * its workflows run.
 */
export const chatComplete: CallKind = {
  type: 'LLM_CHAT_COMPLETE',
  plan({ input: given, model, snapshot, permission }) {
    const name = `${model.integration}:${model.model}`;
    const { value: asked, notes } = readInput(given, chatCompleteInput, {});
    const codec = model.codec.chat;
    if (codec === undefined) throw modelUnfit(model, 'chat');
    for (const field of NOT_SERVED) {
      if (!says(asked[field])) continue;
      throw new ServiceError('INPUT_INVALID', `Input ${field}: no model of ours has anything for it; leave it out`, {
        field,
      });
    }
    const { rawPrompts } = model.record.configuration;
    const messages = messagesOf(asked);
    const instructions = instructionsText();
    const { system, turns } = readConversation(messages);
    const tools = asked.tools ?? [];
    const input = filledIn(asked, chatCompleteInput, { given, prompt: instructions, model });
    const request: ChatRequest = {
      ...generationOf(input),
      system: [...(instructions === undefined ? [] : [instructions.text]), ...system],
      turns,
      tools: tools.map(({ name: tool, description, inputSchema }) => ({
        name: tool,
        description: description ?? undefined,
        inputSchema: inputSchema ?? undefined,
      })),
      documents: input.documents ?? [],
    };
    demandDistinct(request.tools);

    const call = blaming({ given, prompt: instructions }, () => codec.encode(request));
    return {
      call,
      notes: [...notes, ...notesOfUnused(), ...notesOfChain(given), ...(instructions?.notes ?? [])],
      ...(input.temperature === 0 ? cachedWhole(['chat', call, input.jsonOutput ?? null]) : {}),
      estimatedTokens: estimateTokens(wordsOf(request)) + (input.maxTokens ?? DEFAULT_MAX_TOKENS),
      finish(answer) {
        const reply = codec.decode(answer);
        try {
          const calls = reply.toolCalls.map((call) => toolCallOf(call, tools, model.family));
          return { output: outputOf(reply, calls, resultOf(reply, input.jsonOutput, name)), tokens: reply.tokens };
        } catch (error) {
          return { error: failureOf(error), tokens: reply.tokens };
        }
      },
    };

    /** A named prompt's text, or literal text where the model takes that; without either, a model that takes only prompts refuses. */
    function instructionsText(): PromptText | undefined {
      const text = asked.instructions?.trim() === '' ? undefined : asked.instructions;
      if (text !== undefined && isPromptName(text)) {
        if (!rawPrompts) demandNoSystem();
        const { promptVersion: version, promptVariables: variables } = asked;
        const prompt = { name: text, field: 'instructions', version, variables } as const;
        return renderNamedPrompt(prompt, name, { snapshot, permission });
      }
      if (!rawPrompts) throw onlyNamed('instructions');
      return text === undefined ? undefined : literalPrompt(text, asked.promptVariables);
    }

    function notesOfUnused(): string[] {
      const { promptVersion, promptVariables } = asked;
      return [
        ...(promptVersion === undefined || instructions?.isNamed === true
          ? []
          : [notUsed('promptVersion', 'instructions are not the name of a prompt')]),
        // As a block of YAML leaves it, with a line break at its end.
        ...(instructions?.isNamed === false && isPromptName(asked.instructions?.trim() ?? '')
          ? [
              'The instructions were taken as literal text: white space stands around what could be the name of a prompt.',
            ]
          : []),
        ...(instructions === undefined && says(promptVariables)
          ? [notUsed('promptVariables', 'there are no instructions, and messages are never rendered')]
          : []),
      ];
    }

    function demandNoSystem(): void {
      const literal = messages.findIndex(({ role }) => role === 'system');
      if (literal >= 0) throw onlyNamed(`messages.${literal}`);
    }

    function onlyNamed(field: string): ServiceError {
      const message = `Input ${field}: ${name} takes only named prompts: instructions must be the name of one, and no message a system's`;
      return new ServiceError('PROMPT_REQUIRED', message, { field });
    }
  },
};

/** Other workers answer with an id that the next turn goes on from. One that refers to ours has null for it. */
function notesOfChain(given: TaskInput): string[] {
  if (given['previousResponseId'] !== null) return [];
  return [
    'previousResponseId refers to nothing: no answer has an id here, so the model knows only the messages of this task.',
  ];
}

interface Said {
  readonly messages?: readonly ChatMessage[] | undefined;
  readonly userInput?: string | undefined;
}

/** `userInput` is the one message of a conversation that has no other, as on the open-source server. */
function messagesOf({ messages = [], userInput = '' }: Said): readonly ChatMessage[] {
  if (userInput === '') return messages;
  if (userInput.trim() === '') {
    throw new ServiceError('INPUT_INVALID', 'Input userInput: is blank; give a text to answer', { field: 'userInput' });
  }
  if (messages.length === 0) return [{ role: 'user', message: userInput }];
  throw new ServiceError('INPUT_INVALID', 'Input userInput: give messages or userInput, not both', {
    field: 'userInput',
  });
}

type Generated = Omit<ChatRequest, 'system' | 'turns' | 'tools' | 'documents'>;

function generationOf(input: Generated): Generated {
  const { maxTokens, temperature, topP, topK, frequencyPenalty, presencePenalty, seed, stopWords, maxResults } = input;
  return { maxTokens, temperature, topP, topK, frequencyPenalty, presencePenalty, seed, stopWords, maxResults };
}

function demandDistinct(tools: readonly { readonly name: string }[]): void {
  const names = new Set<string>();
  for (const { name } of tools) {
    if (names.has(name)) {
      throw new ServiceError('INPUT_INVALID', `Input tools: the tool ${name} is there twice`, { field: 'tools' });
    }
    names.add(name);
  }
}

/** All that a model has to read, without images, of whose tokens nothing is known. */
function wordsOf({ system, turns, tools, documents }: ChatRequest): string {
  const said = turns.map((turn) => (turn.role === 'user' ? turn.text : { ...turn, field: undefined }));
  return JSON.stringify([system, said, tools, documents]);
}

/**
 * The text; parsed where `jsonOutput` asks for it. Where nothing is said, a JSON object comes as one, as on the open-source
 * server (ai/…/LLMHelper.java, tryToConvertToJSON): its agents read `output.result.method`.
 */
function resultOf({ text, toolCalls }: ChatReply, jsonOutput: boolean | undefined, model: string): unknown {
  if (jsonOutput === false || toolCalls.length > 0) return text;
  if (jsonOutput === true) return parseJsonText(text, model);
  const trimmed = text.trim();
  if (!trimmed.startsWith('{') && !trimmed.startsWith('```json')) return text;
  const value = jsonIn(trimmed)?.value;
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : text;
}

function outputOf(
  { finishReason, citations }: ChatReply,
  toolCalls: readonly Readonly<Record<string, unknown>>[],
  result: unknown,
): Readonly<Record<string, unknown>> {
  return {
    result,
    finishReason,
    ...(toolCalls.length === 0 ? {} : { toolCalls }),
    ...(citations.length === 0 ? {} : { citations }),
  };
}

/**
 * The open-source server's ToolCall, as its LLMHelper.java makes it: ready to run as a task of Conductor's. So a tool that the
 * task does not offer is none that its model may call: throws ANSWER_INVALID.
 */
function toolCallOf(
  { id, name, parameters }: ToolCall,
  tools: readonly ToolSpec[],
  family: Family,
): Readonly<Record<string, unknown>> {
  const spec = tools.find((tool) => tool.name === name);
  if (spec === undefined) {
    // In quotes, so that no line of a log is the model's.
    const called = JSON.stringify(name.slice(0, SHOWN_NAME_CHARACTERS));
    throw answerInvalid(family, `it calls a tool ${called} that the task's tools do not have`);
  }
  return {
    taskReferenceName: id ?? randomUUID(),
    name,
    integrationNames: spec.integrationNames ?? {},
    type: spec.type ?? 'SIMPLE',
    // Last: a parameter that is called so would send the call elsewhere, and a model may have read it in somebody's message.
    inputParameters: { ...parameters, method: name },
  };
}
