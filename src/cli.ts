#!/usr/bin/env node
import { Command } from 'commander';
import { runWorker } from './main.ts';

const program = new Command('bedrock-cohere');
program.command('worker').action(async () => {
  process.exit(await runWorker());
});
await program.parseAsync();
