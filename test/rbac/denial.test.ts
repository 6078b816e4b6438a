import { describe, expect, it } from 'vitest';
import type { TaskTarget } from '../../src/rbac/decision.ts';
import { denialError, inputNaming, targetInTask, targetName } from '../../src/rbac/denial.ts';
import { user } from '../../src/rbac/subject.ts';

const MODEL: TaskTarget = { kind: 'model', integration: 'prod', model: 'cohere.embed-v4:0', tags: [] };
const INTEGRATION: TaskTarget = { kind: 'integration', integration: 'prod', tags: [] };
const PROMPT: TaskTarget = { kind: 'prompt', prompt: 'summarize' };

describe('a denial', () => {
  it('says who, what, the missing grant and the command that explains it', () => {
    const error = denialError(user('alice@example.com'), MODEL, 'EXECUTE on INTEGRATION_PROVIDER:prod');
    expect(error).toMatchObject({ code: 'PERMISSION_DENIED', field: 'model', retryable: false });
    expect(error.message).toContain('USER:alice@example.com may not use prod:cohere.embed-v4:0');
    expect(error.message).toContain('unknown or not permitted');
    expect(error.message).toContain('Missing: EXECUTE on INTEGRATION_PROVIDER:prod.');
    expect(error.message).toMatch(/bedrock-cohere can USER:alice@example\.com prod:cohere\.embed-v4:0$/);
  });

  it('quotes what a shell would take apart in the command it proposes', () => {
    const { message } = denialError(user("o'brien; rm -rf ~"), { kind: 'prompt', prompt: '$(x) y' }, 'a grant');
    expect(message).toMatch(/can 'USER:o'\\''brien; rm -rf ~' 'PROMPT:\$\(x\) y'$/);
  });

  it.each<[TaskTarget, string, string, string]>([
    [MODEL, 'prod:cohere.embed-v4:0', 'model', 'prod:cohere.embed-v4:0 (inputs llmProvider, model)'],
    [INTEGRATION, 'prod', 'llmProvider', 'prod (input llmProvider)'],
    [PROMPT, 'PROMPT:summarize', 'promptName', 'PROMPT:summarize (input promptName)'],
  ])('names its target as the command and the task’s inputs do', (target, name, input, inTask) => {
    expect(targetName(target)).toBe(name);
    expect(inputNaming(target)).toBe(input);
    expect(targetInTask(target)).toBe(inTask);
  });

  it('has a name for an application, which no task names', () => {
    expect(targetName({ kind: 'application', application: 'claims', tags: [] })).toBe('APPLICATION:claims');
  });
});
