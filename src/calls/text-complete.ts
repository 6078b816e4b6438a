import { failureOf, ServiceError } from '../errors.ts';
import type { FinishReason } from '../integrations/codec.ts';
import { templateOf, versionsOf } from '../prompts/prompt.ts';
import { renderTemplate } from '../prompts/render.ts';
import { promptTarget } from '../rbac/grants.ts';
import { parseJsonText } from './json-text.ts';
import { requireRecord } from './model-lookup.ts';
import { type CallKind, estimateTokens } from './plan.ts';
import { readInput, textCompleteInput } from './task-inputs.ts';

/** What a completion takes at most where neither task nor model says; a family's own maximum may be lower. */
const DEFAULT_MAX_TOKENS = 1_024;

/** LLM_TEXT_COMPLETE: a named prompt with variables, or literal text, completed. Orkes: "LLM Text Complete" task. */
export const textComplete: CallKind = {
  type: 'LLM_TEXT_COMPLETE',
  plan({ input: given, model, snapshot, permission }) {
    const name = `${model.integration}:${model.model}`;
    const { value: input, notes } = readInput(given, textCompleteInput, model.record.configuration.defaults);
    const codec = model.codec.text;
    if (codec === undefined) {
      throw new ServiceError('MODEL_UNFIT', `Input model: ${name} (family ${model.family}) cannot complete text`, {
        field: 'model',
      });
    }
    const prompt = promptText();
    return {
      call: codec.encode({ ...input, prompt }),
      notes,
      estimatedTokens: estimateTokens(prompt) + (input.maxTokens ?? DEFAULT_MAX_TOKENS) * (input.maxResults ?? 1),
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
    function promptText(): string {
      if (input.promptName !== undefined) return namedPrompt(input.promptName);
      if (!model.record.configuration.rawPrompts) {
        throw new ServiceError('PROMPT_REQUIRED', `Input promptName: ${name} takes only named prompts`, {
          field: 'promptName',
        });
      }
      if (input.prompt === undefined || input.prompt === '') {
        throw new ServiceError(
          'INPUT_INVALID',
          'Input promptName: missing; give the name of a prompt, or literal text in prompt',
          {
            field: 'promptName',
          },
        );
      }
      return input.promptVariables === undefined ? input.prompt : renderTemplate(input.prompt, input.promptVariables);
    }

    function namedPrompt(promptName: string): string {
      const target = { kind: 'prompt', prompt: promptName } as const;
      permission.require(snapshot, target);
      const prompt = requireRecord(
        snapshot.prompt(promptName),
        { unknown: 'PROMPT_UNKNOWN', disabled: 'PROMPT_UNKNOWN' },
        {
          what: `the prompt "${promptName}"`,
          field: 'promptName',
        },
        () => permission.hint(snapshot, target),
      );
      if (!prompt.integrations.includes(name)) {
        throw new ServiceError(
          'PROMPT_NOT_ASSOCIATED',
          `Input promptName: ${promptTarget(promptName)} is not associated with ${name}; its record's integrations must name it`,
          { field: 'promptName' },
        );
      }
      const template = templateOf(prompt, input.promptVersion);
      if (template === undefined) {
        throw new ServiceError(
          'PROMPT_UNKNOWN',
          `Input promptVersion: the prompt "${promptName}" has no version ${input.promptVersion}; it has ${versionsOf(prompt).join(', ')}`,
          { field: 'promptVersion' },
        );
      }
      return renderTemplate(template, input.promptVariables ?? {});
    }
  },
};
