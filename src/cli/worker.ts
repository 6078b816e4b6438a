import type { Command } from 'commander';
import { boundYoungMemory } from './bound-young-memory.ts';
import { type CommandLine, command, ENVIRONMENT } from './command-line.ts';

export function workerCommand({ variables, end }: CommandLine): Command {
  return command(
    'worker',
    'long-polls Conductor and runs LLM tasks, until SIGTERM',
    `
It is stateless: run any number of replicas. Health: /healthz, /readyz and /metrics on HTTP_PORT (9464).
AWS's own variables say who calls Bedrock, ENCRYPTION_KEYS opens sealed secrets; bedrock-cohere check looks at all of it first.

Examples:
  CONDUCTOR_SERVER_URL=http://localhost:8080 REDIS_URL=redis://localhost:6379 bedrock-cohere worker
  TASK_TYPES=LLM_TEXT_COMPLETE=my_llm MAX_IN_FLIGHT=64 bedrock-cohere worker
${ENVIRONMENT}`,
  ).action(async () => {
    boundYoungMemory();
    const { runWorker } = await import('../main.ts');
    end(await runWorker(variables));
  });
}
