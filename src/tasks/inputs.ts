/**
 * The inputs of the tasks, as a workflow gives them. They say what `src/calls/inputs/task-inputs.ts` reads: a test compares the two.
 * What an input means for each family of models is in docs/tasks.md.
 */

/** Inputs that every LLM task has. */
export interface CommonInput {
  /** The integration's name, such as `bedrock-prod`. */
  readonly llmProvider: string;
  /** The model's name in that integration. */
  readonly model: string;
  /** A token that proves whom the task runs for. */
  readonly accessToken?: string;
}

/** Numbers may be given as text, since a workflow's own inputs are often typed into a form. */
export type NumberInput = number | string;

/** How to generate, in text and chat. What a family of models knows of it: docs/models.md. */
export interface Generation {
  readonly temperature?: NumberInput;
  readonly topP?: NumberInput;
  readonly topK?: NumberInput;
  /** Tokens to generate at most. Default: the prompt's, then the model's, else the smaller of 1024 and its family's maximum. */
  readonly maxTokens?: NumberInput;
  readonly frequencyPenalty?: NumberInput;
  readonly presencePenalty?: NumberInput;
  readonly seed?: NumberInput;
  /** How many completions of the same prompt. Default 1. */
  readonly maxResults?: NumberInput;
  readonly stopWords?: readonly string[] | string;
  /** True: the text must be JSON, and `result` is its value. */
  readonly jsonOutput?: boolean | 'true' | 'false';
}

export interface TextCompleteInput extends CommonInput, Generation {
  /** A prompt in Redis, associated with the model. It beats `prompt`. */
  readonly promptName?: string;
  /** Default: the highest. */
  readonly promptVersion?: NumberInput;
  /** Values for the `${name}`s of the template. */
  readonly promptVariables?: Readonly<Record<string, unknown>>;
  /** Literal text; rendered only where `promptVariables` is given. */
  readonly prompt?: string;
  /** Accepted and not used: the model's `rawPrompts` decides. */
  readonly allowRawPrompts?: unknown;
}

export interface ToolCall {
  /** Unique in the conversation: a result names its call by it. */
  readonly taskReferenceName?: string | null;
  readonly name: string;
  readonly inputParameters?: Readonly<Record<string, unknown>> | null;
  /** In messages of the role `tool`: what the tool gave, any JSON. */
  readonly output?: unknown;
  /** Not read, as `integrationNames` is not: they are for Conductor. */
  readonly type?: unknown;
  readonly integrationNames?: unknown;
}

/** One message of a conversation, in the open-source server's shape. */
export interface ChatMessage {
  /** `human` is `user`; `tool_call` holds the model's calls of tools, `tool` their results. */
  readonly role: 'user' | 'human' | 'assistant' | 'system' | 'tool_call' | 'tool';
  /** What is no text goes in as JSON. */
  readonly message?: unknown;
  /** Images as data URIs: nothing is fetched. */
  readonly media?: readonly string[] | null;
  /** Not read: a data URI says its type itself. */
  readonly mimeType?: unknown;
  readonly toolCalls?: readonly ToolCall[] | null;
}

/** What the model may ask for. It sees `name`, `description` and `inputSchema`. */
export interface ToolSpec {
  readonly name: string;
  readonly description?: string | null;
  /** A JSON Schema of type object. */
  readonly inputSchema?: Readonly<Record<string, unknown>> | null;
  /** The task type of a call, which comes back with it. Default `SIMPLE`. */
  readonly type?: string | null;
  /** Comes back with each call. */
  readonly integrationNames?: Readonly<Record<string, unknown>> | null;
  /** Not read, as the two below are not. */
  readonly configParams?: unknown;
  readonly outputSchema?: unknown;
  readonly selfDescribing?: unknown;
}

/** `messages` or `userInput` is given. What the worker takes only to refuse it (docs/tasks.md) is left out here. */
export interface ChatCompleteInput extends CommonInput, Generation {
  readonly messages?: readonly ChatMessage[];
  /** One message of the user. */
  readonly userInput?: string;
  /** The name of a prompt in Redis, which is one word; anything else is literal text. */
  readonly instructions?: string;
  /** Default: the highest. */
  readonly promptVersion?: NumberInput;
  /** Values for the `${name}`s of `instructions`. */
  readonly promptVariables?: Readonly<Record<string, unknown>>;
  readonly tools?: readonly ToolSpec[];
  /** Command R: texts, or objects of texts such as `{title, snippet}`, to answer from and to cite. */
  readonly documents?: readonly (string | Readonly<Record<string, string>>)[];
  /** Accepted and not used: the model's `rawPrompts` decides. */
  readonly allowRawPrompts?: unknown;
}

export type EmbeddingType = 'float' | 'int8' | 'uint8' | 'binary' | 'ubinary';

/** A text or an image of a mixed input; an image is a data URI: nothing is fetched. */
export type MixedPart =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'image_url'; readonly image_url: string | { readonly url: string } };

/** Exactly one of `text`, `texts`, `images` and `inputs` is given. */
export interface GenerateEmbeddingsInput extends CommonInput {
  /** One text, with one vector as the result. */
  readonly text?: string;
  /** Any number of texts, with a list of vectors as the result, in order. */
  readonly texts?: readonly string[];
  /** Data URIs (`data:image/png;base64,…`). */
  readonly images?: readonly string[];
  /** Embed v4: texts and images that become one vector together. */
  readonly inputs?: readonly { readonly content: readonly MixedPart[] }[];
  /** What the vectors are for. Default `search_document`; documents and queries must differ in it to match. */
  readonly inputType?: 'search_document' | 'search_query' | 'classification' | 'clustering' | 'image';
  /** What is cut off a text that is too long. Default NONE. Embed v3 says START or END, v4 LEFT or RIGHT. */
  readonly truncate?: 'NONE' | 'START' | 'END' | 'LEFT' | 'RIGHT';
  /** Embed v4: 256, 512, 1024 or 1536, which is the default. */
  readonly dimensions?: NumberInput;
  /** Default: floats, as bare vectors. */
  readonly embeddingTypes?: EmbeddingType | readonly EmbeddingType[];
}

export interface RerankInput extends CommonInput {
  readonly query: string;
  /** 1 to 1000 documents. */
  readonly documents: readonly (string | Readonly<Record<string, unknown>>)[];
  /** Of documents that are objects: the fields to rank by. Default: all. */
  readonly rankFields?: string | readonly string[];
  /** How many of the best to give. Default: all. */
  readonly topN?: NumberInput;
  /** True: each result holds its document. Default false. */
  readonly returnDocuments?: boolean | 'true' | 'false';
}
