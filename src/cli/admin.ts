import type { Command } from 'commander';
import { boundYoungMemory } from './bound-young-memory.ts';
import { type CommandLine, command, ENVIRONMENT } from './command-line.ts';

export function adminCommand({ variables, version, end }: CommandLine): Command {
  return command(
    'admin',
    'serves the admin API over Redis, in the shapes of Orkes, until SIGTERM',
    `
It is stateless: run any number of replicas. It listens on ADMIN_HOST (127.0.0.1) and ADMIN_PORT (8090), needs
ENCRYPTION_KEYS, and describes itself at /docs and /openapi.json. The first access key comes from: bedrock-cohere bootstrap

Examples:
  ENCRYPTION_KEYS="k1:$(openssl rand -base64 32)" bedrock-cohere admin
  ADMIN_HOST=0.0.0.0 ADMIN_ALLOWED_HOSTS=admin.example.com bedrock-cohere admin
${ENVIRONMENT}`,
  ).action(async () => {
    boundYoungMemory();
    const { runAdmin } = await import('../main.ts');
    end(await runAdmin(variables, version));
  });
}
