/**
 * The port between a task and a model family. A codec is pure: it turns a request in the domain's words into the body
 * of one Bedrock call, and the answer's body back. Calling Bedrock is `bedrock/client.ts`'s; families are in `cohere/`
 * and `converse/`.
 */
import type { ServiceError } from '../errors.ts';

/** Who can answer a task: what the model's id, or `family` in its record, says. */
export const FAMILIES = ['command', 'command-r', 'embed-v3', 'embed-v4', 'rerank', 'converse'] as const;
export type Family = (typeof FAMILIES)[number];

/** How to generate. What is absent was given neither by the task nor by the `defaults` of its prompt and model. */
export interface Generation {
  /** Tokens to generate at most. Absent: the smaller of 1024 and the family's maximum; always sent (an unset one reserves the model's whole quota). */
  readonly maxTokens?: number | undefined;
  readonly temperature?: number | undefined;
  readonly topP?: number | undefined;
  readonly topK?: number | undefined;
  readonly frequencyPenalty?: number | undefined;
  readonly presencePenalty?: number | undefined;
  readonly seed?: number | undefined;
  readonly stopWords?: readonly string[] | undefined;
  /** How many completions of the same prompt. Default 1. */
  readonly maxResults?: number | undefined;
}

/** One text to complete. */
export interface TextRequest extends Generation {
  readonly prompt: string;
}

/** One table of words for every family. */
export const FINISH_REASONS = ['STOP', 'MAX_TOKENS', 'STOP_SEQUENCE', 'TOOL_CALLS', 'CONTENT_FILTER', 'ERROR'] as const;
export type FinishReason = (typeof FINISH_REASONS)[number];

export interface TextCompletion {
  /** At least one; more where `maxResults` asked for more. */
  readonly completions: readonly { readonly text: string; readonly finishReason: FinishReason }[];
  readonly tokens: TokenCounts;
}

/** A tool that the model may ask for. */
export interface ChatTool {
  readonly name: string;
  readonly description?: string | undefined;
  /** A JSON Schema of type object; absent: it takes nothing. */
  readonly inputSchema?: Readonly<Record<string, unknown>> | undefined;
}

/** That a model asks for a tool. `id` is unique in one conversation; an answer of a family that has none has none. */
export interface ToolCall {
  readonly id?: string | undefined;
  readonly name: string;
  readonly parameters: Readonly<Record<string, unknown>>;
}

export interface ToolResult {
  readonly call: ToolCall;
  /** Any JSON; undefined: it gave nothing. */
  readonly output: unknown;
}

export interface ChatImage {
  readonly format: 'png' | 'jpeg' | 'gif' | 'webp';
  readonly bytes: Uint8Array;
}

/** One part of a conversation. `field` is the input that it comes from, for messages: `messages.3`. */
export type ChatTurn = { readonly field: string } & (
  | { readonly role: 'user'; readonly text?: string | undefined; readonly images: readonly ChatImage[] }
  | { readonly role: 'assistant'; readonly text: string }
  /** All results of calls, in their order, follow their calls at once. */
  | { readonly role: 'tool-calls'; readonly calls: readonly ToolCall[] }
  | { readonly role: 'tool-results'; readonly results: readonly ToolResult[] }
);

/** A conversation to go on with. */
export interface ChatRequest extends Generation {
  /** Instructions, none empty. */
  readonly system: readonly string[];
  /** At least one. */
  readonly turns: readonly ChatTurn[];
  readonly tools: readonly ChatTool[];
  /** To answer from and to cite; each a few named texts, such as `{title, snippet}`. */
  readonly documents: readonly Readonly<Record<string, string>>[];
}

/** Which part of an answer (`start` to `end` of its characters) rests on which documents. */
export interface Citation {
  readonly start: number;
  readonly end: number;
  readonly text: string;
  /** `doc_0` is the first document of the request. */
  readonly documentIds: readonly string[];
}

export interface ChatReply {
  /** Empty where the model only asks for tools. */
  readonly text: string;
  readonly finishReason: FinishReason;
  readonly toolCalls: readonly ToolCall[];
  readonly citations: readonly Citation[];
  readonly tokens: TokenCounts;
}

export const INPUT_TYPES = ['search_document', 'search_query', 'classification', 'clustering', 'image'] as const;
export type InputType = (typeof INPUT_TYPES)[number];

/** What of a text that is too long is cut off: Embed v3 says START or END, v4 LEFT or RIGHT. */
export const TRUNCATIONS = ['NONE', 'START', 'END', 'LEFT', 'RIGHT'] as const;
export type Truncation = (typeof TRUNCATIONS)[number];

export const EMBEDDING_TYPES = ['float', 'int8', 'uint8', 'binary', 'ubinary'] as const;
export type EmbeddingType = (typeof EMBEDDING_TYPES)[number];

/** A text or an image of a mixed input, in Cohere's words. `url` is a data URI: nothing is fetched. */
export type MixedPart =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'image_url'; readonly image_url: { readonly url: string } };

/** Texts and images that become one vector together. */
export interface MixedInput {
  readonly content: readonly MixedPart[];
}

/** What is embedded, one vector each: exactly one of the three. */
export interface EmbeddingsContent {
  readonly texts?: readonly string[] | undefined;
  /** Data URIs (`data:image/png;base64,…`). */
  readonly images?: readonly string[] | undefined;
  readonly inputs?: readonly MixedInput[] | undefined;
}

export interface EmbeddingsRequest extends EmbeddingsContent {
  /** What the vectors are for. Default `search_document`. */
  readonly inputType?: InputType | undefined;
  /** Length of the vectors; only Embed v4 lets one choose (256, 512, 1024, 1536). */
  readonly dimensions?: number | undefined;
  /** Default NONE: a text that is too long is refused. */
  readonly truncate?: Truncation | undefined;
  /** Forms of each vector, answered by type. Default: floats, as bare vectors. */
  readonly embeddingTypes?: readonly EmbeddingType[] | undefined;
}

export type Vector = readonly number[];
/** A bare vector of floats; by type where types were asked for. */
export type Embedding = Vector | Readonly<Partial<Record<EmbeddingType, Vector>>>;

export interface Embeddings {
  /** One for each that was embedded, in their order; ANSWER_INVALID in place of one that is none. */
  readonly vectors: readonly (Embedding | ServiceError)[];
  readonly tokens: TokenCounts;
}

/** Tokens as Bedrock counted them; a count it did not give is absent, never 0. */
export interface TokenCounts {
  readonly prompt?: number | undefined;
  readonly completion?: number | undefined;
}

/** A block of a message of Converse: exactly one member. Source: AWS, APIReference/API_runtime_ContentBlock.html. */
export type ConverseBlock =
  | { readonly text: string }
  | { readonly image: { readonly format: ChatImage['format']; readonly source: { readonly bytes: Uint8Array } } }
  | { readonly toolUse: { readonly toolUseId: string; readonly name: string; readonly input: unknown } }
  | {
      readonly toolResult: {
        readonly toolUseId: string;
        readonly content: readonly ({ readonly json: unknown } | { readonly text: string })[];
      };
    };

export interface ConverseMessage {
  readonly role: 'user' | 'assistant';
  readonly content: readonly ConverseBlock[];
}

/** The fields of Bedrock's Converse request that we use (AWS: API_runtime_Converse), without the model's id. */
export interface ConverseFields {
  readonly messages: readonly ConverseMessage[];
  readonly system?: readonly { readonly text: string }[];
  readonly toolConfig?: {
    readonly tools: readonly {
      readonly toolSpec: {
        readonly name: string;
        readonly description?: string;
        readonly inputSchema: { readonly json: unknown };
      };
    }[];
  };
  readonly inferenceConfig?: {
    readonly maxTokens?: number;
    readonly temperature?: number;
    readonly topP?: number;
    readonly stopSequences?: readonly string[];
  };
  /** Parameters beyond Converse's own, in the model's own words. */
  readonly additionalModelRequestFields?: Readonly<Record<string, unknown>>;
}

/** What to send. `InvokeModel`: the JSON body of the family. `Converse`: Bedrock's common chat shape. */
export type BedrockCall =
  | { readonly operation: 'InvokeModel'; readonly body: Readonly<Record<string, unknown>> }
  | { readonly operation: 'Converse'; readonly input: ConverseFields };

/** What came back: the parsed JSON body (Converse: the output's members) and the token headers of InvokeModel, where given. */
export interface BedrockAnswer {
  readonly body: unknown;
  readonly tokens: TokenCounts;
}

/**
 * `encode` throws ServiceError INPUT_INVALID with `field` set to the task's input name (`temperature`, `maxTokens`, …)
 * for a parameter that the family does not know (the message lists those it knows) or whose value is out of its range
 * (the message gives the range). `decode` throws ANSWER_INVALID.
 */
export interface TextCodec {
  encode(request: TextRequest): BedrockCall;
  decode(answer: BedrockAnswer): TextCompletion;
}

/** Throws as TextCodec does. What a family has no place for, such as documents or images, is refused by its name. */
export interface ChatCodec {
  encode(request: ChatRequest): BedrockCall;
  decode(answer: BedrockAnswer): ChatReply;
}

export interface EmbeddingsCodec {
  /**
   * The content as the family takes it, any number of pieces: each is checked, and texts are cut here where the family counts
   * characters and `truncate` asks for it. Throws INPUT_INVALID, `field` being `texts`, `images` or `inputs`.
   */
  fit(request: EmbeddingsRequest): EmbeddingsContent;
  /** One request, of 1 to 96 pieces, fitted or not. Throws INPUT_INVALID as `TextCodec.encode` does. */
  encode(request: EmbeddingsRequest): BedrockCall;
  /** Throws ANSWER_INVALID when the answer does not hold exactly `expected` vectors. `types`: those that were asked for. */
  decode(answer: BedrockAnswer, expected: number, types?: readonly EmbeddingType[]): Embeddings;
  /** Numbers in a vector, where the request does not say. */
  readonly dimensions: number;
  /** What an image is embedded for, where the family lets nobody choose. */
  readonly imageInputType?: 'image';
}

/** Documents in the order of how well they answer a query. */
export interface RerankRequest {
  readonly query: string;
  /** 1 to 1000 texts, none empty. */
  readonly documents: readonly string[];
  /** How many of the best to give. Default: all. */
  readonly topN?: number | undefined;
}

export interface Ranking {
  /** Best first; `index` is the document's place in the request, `score` goes from 0 to 1. */
  readonly results: readonly { readonly index: number; readonly score: number }[];
  readonly tokens: TokenCounts;
}

export interface RerankCodec {
  encode(request: RerankRequest): BedrockCall;
  /** Throws ANSWER_INVALID when a result names no document of `documents`, or one twice. */
  decode(answer: BedrockAnswer, documents: number): Ranking;
}

/** A family can do text, chat, embeddings or reranking. */
export interface Codec {
  readonly family: Family;
  readonly text?: TextCodec;
  readonly chat?: ChatCodec;
  readonly embeddings?: EmbeddingsCodec;
  readonly rerank?: RerankCodec;
}
