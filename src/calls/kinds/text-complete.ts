import { failureOf, ServiceError } from '../../errors.ts';
import type { FinishReason } from '../../integrations/codec.ts';
import { cachedWhole } from '../from-cache.ts';
import { says } from '../inputs/chat-inputs.ts';
import { readInput } from '../inputs/read-inputs.ts';
import { textCompleteInput } from '../inputs/task-inputs.ts';
import { type CallKind, DEFAULT_MAX_TOKENS, estimateTokens } from '../plan.ts';
import { parseJsonText } from './json-text.ts';
import { blaming, filledIn, literalPrompt, notUsed, type PromptText, renderNamedPrompt } from './named-prompt.ts';
import { modelUnfit } from './unfit.ts';

/** LLM_TEXT_COMPLETE: a named prompt with variables, or literal text, completed. Orkes: "LLM Text Complete" task. */
export const textComplete: CallKind = {
  type: 'LLM_TEXT_COMPLETE',
  plan({ input: given, model, snapshot, permission }) {
    const name = `${model.integration}:${model.model}`;
    const { value: asked, notes } = readInput(given, textCompleteInput, {});
    const codec = model.codec.text;
    if (codec === undefined) throw modelUnfit(model, 'complete text');
    const prompt = promptText();
    const input = filledIn(asked, textCompleteInput, { given, prompt, model });
    const call = blaming({ given, prompt }, () => codec.encode({ ...input, prompt: prompt.text }));
    return {
      call,
      notes: [...notes, ...notesOfUnused(), ...prompt.notes],
      ...(input.temperature === 0 ? cachedWhole(['text', call, input.jsonOutput === true, input.maxResults ?? 1]) : {}),
      estimatedTokens: estimateTokens(prompt.text) + (input.maxTokens ?? DEFAULT_MAX_TOKENS) * (input.maxResults ?? 1),
      finish(answer) {
        const { completions, tokens } = codec.decode(answer);
        const results = asWanted(completions.map(({ text }) => text));
        if (results instanceof ServiceError) return { error: results, tokens };
        return {
          output: {
            result: results[0],
            finishReason: completions[0]?.finishReason ?? ('ERROR' satisfies FinishReason),
            ...((input.maxResults ?? 1) > 1 ? { results } : {}),
          },
          tokens,
        };
      },
    };

    function asWanted(texts: readonly string[]): readonly unknown[] | ServiceError {
      if (input.jsonOutput !== true) return texts;
      try {
        return texts.map((text) => parseJsonText(text, name));
      } catch (error) {
        return failureOf(error);
      }
    }

    /** A named prompt beats a literal one; a literal one is rendered only where variables are given. */
    function promptText(): PromptText {
      if (asked.promptName !== undefined) {
        const { promptName, promptVersion: version, promptVariables: variables } = asked;
        const named = { name: promptName, field: 'promptName', version, variables } as const;
        return renderNamedPrompt(named, name, { snapshot, permission });
      }
      if (!model.record.configuration.rawPrompts) {
        throw new ServiceError('PROMPT_REQUIRED', `Input promptName: ${name} takes only named prompts`, {
          field: 'promptName',
        });
      }
      if (asked.prompt === undefined || asked.prompt === '') {
        throw new ServiceError(
          'INPUT_INVALID',
          'Input promptName: missing; give the name of a prompt, or literal text in prompt',
          {
            field: 'promptName',
          },
        );
      }
      return literalPrompt(asked.prompt, asked.promptVariables);
    }

    function notesOfUnused(): string[] {
      if (asked.promptName !== undefined)
        return says(asked.prompt) ? [notUsed('prompt', 'promptName goes before it')] : [];
      return asked.promptVersion === undefined ? [] : [notUsed('promptVersion', 'there is no promptName')];
    }
  },
};
