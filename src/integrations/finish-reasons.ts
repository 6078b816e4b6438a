import type { FinishReason } from './codec.ts';

/**
 * Every family's word for why a text ended, in lower case. Sources: AWS, userguide/model-parameters-cohere-command.html,
 * model-parameters-cohere-command-r-plus.html (both casings are seen), APIReference/API_runtime_Converse.html (stopReason).
 */
const FINISH_REASONS: ReadonlyMap<string, FinishReason> = new Map([
  ['complete', 'STOP'],
  ['end_turn', 'STOP'],
  ['max_tokens', 'MAX_TOKENS'],
  // The answer used up what the context window left: like a limit of tokens, the text before it is good.
  ['model_context_window_exceeded', 'MAX_TOKENS'],
  ['stop_sequence', 'STOP_SEQUENCE'],
  ['tool_use', 'TOOL_CALLS'],
  ['error_toxic', 'CONTENT_FILTER'],
  ['guardrail_intervened', 'CONTENT_FILTER'],
  ['content_filtered', 'CONTENT_FILTER'],
  ['error', 'ERROR'],
  // Command R met its context limit and gave up.
  ['error_limit', 'ERROR'],
  ['user_cancel', 'ERROR'],
  ['malformed_model_output', 'ERROR'],
  ['malformed_tool_use', 'ERROR'],
]);

/**
 * A family's finish reason, in either casing, in the words of a task's output. An unknown or absent one is ERROR:
 * a text of which nobody knows whether it is whole must not pass as finished.
 */
export function finishReasonOf(word: string | null | undefined): FinishReason {
  return FINISH_REASONS.get(word?.toLowerCase() ?? '') ?? 'ERROR';
}
