/** What a family of models is to the simulator: a pure function from a request's parsed body to an answer. */

import type { FamilyName } from '../models.ts';

/** Which of two documented ways Bedrock answers, where its own documents leave it open. */
export interface AnswerSettings {
  /** What Embed v4 gives when `embedding_types` is absent. Default `by-type`. */
  embedV4Unasked: 'by-type' | 'floats';
  /** How Command R writes its finish reasons: both are seen. Default `upper`. */
  commandRFinishReasons: 'upper' | 'lower';
}

export const DEFAULT_ANSWERS: Readonly<AnswerSettings> = {
  embedV4Unasked: 'by-type',
  commandRFinishReasons: 'upper',
};

export interface FamilyContext {
  readonly family: FamilyName;
  readonly settings: Readonly<AnswerSettings>;
  /** The foundation model's id, or the ARN of a hosted model. */
  readonly modelName: string;
  /** The model's own limit of output tokens, where it has one. */
  readonly maxTokens: number | undefined;
}

export interface FamilyAnswer {
  readonly body: Readonly<Record<string, unknown>>;
  readonly inputTokens: number;
  /** Absent for what generates no text. */
  readonly outputTokens?: number;
}

/** Throws AwsError for a body that Bedrock would refuse. */
export type Answering = (body: unknown, context: FamilyContext) => FamilyAnswer;
