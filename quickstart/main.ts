/** `npm run quickstart`: starts everything on this machine, runs two workflows, shows what came of them, stops it all. */
import { endAllChildren } from '../devservers/processes.ts';
import { SetupError } from '../devservers/setup-error.ts';
import { prepareEnvironment } from './environment.ts';
import { emptyPrefix } from './given.ts';
import { remember, stopKept } from './kept.ts';
import { HELP, type Options, parseOptions, UsageError } from './options.ts';
import { makePlan } from './plan.ts';
import { printNext, printResults, printUrls } from './report.ts';
import { createRunning, type Running } from './running.ts';
import { createSteps, print, styled } from './steps.ts';
import { applyManifests, QuickstartFailure, startWorker } from './worker.ts';
import { runDenied, runSummary } from './workflows.ts';

async function quickstart(options: Options, running: Running, signal: AbortSignal): Promise<void> {
  const plan = makePlan(options, process.env);
  const steps = createSteps(signal);
  print(styled('bold', 'Governed LLM tasks on Conductor, from an empty machine to a denial'));
  print('');
  const environment = await prepareEnvironment(plan, options, running, steps);
  if (plan.redisUrl !== undefined) {
    const { redisPrefix } = plan;
    print(
      `   Your Redis is used: only keys that begin with ${redisPrefix} are written${options.keep ? '.' : ', and removed.'}`,
    );
    if (!options.keep) running.afterwards(() => emptyPrefix(environment.redisUrl, redisPrefix));
  }
  await steps.run('examples/quickstart applied: integration, prompt, grants', () => applyManifests(environment));
  await steps.run(`Worker ready on port ${options.ports.worker}`, async () =>
    running.add(await startWorker(environment, options.ports.worker, options.keep)),
  );
  const completed = await steps.run('Workflow that completes a text and embeds it', () =>
    runSummary(environment, plan.taskDomain),
  );
  const denied = await steps.run('Workflow that has no permission', () => runDenied(environment, plan.taskDomain));
  if (!options.keep) await steps.run('Everything stopped', () => running.stopAll({ keepLogs: false }));

  printResults(completed, denied, !plan.aws);
  if (options.keep) {
    await remember(running.release());
    printUrls(environment, plan, options.ports);
  }
  printNext(environment, plan, options.keep);
  print(`\n${styled('green', '✔')} Done in ${steps.seconds()}`);
}

/** Resolves to the exit code that a signal stands for. */
function interruption(): Promise<number> {
  return new Promise((resolve) => {
    process.once('SIGINT', () => resolve(130));
    process.once('SIGTERM', () => resolve(143));
    process.once('SIGHUP', () => resolve(129));
  });
}

function complain(error: unknown): number {
  const { message, stack } = error as Error;
  if (error instanceof UsageError) {
    process.stderr.write(`${message}\n`);
    return 2;
  }
  if (error instanceof SetupError || error instanceof QuickstartFailure) {
    process.stderr.write(`\n${message}\n`);
    return error instanceof SetupError ? 3 : 1;
  }
  process.stderr.write(`\n${stack ?? String(error)}\n`);
  return 1;
}

async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args);
  if (options.help) {
    process.stdout.write(HELP);
    return 0;
  }
  if (options.stop) {
    const stopped = await stopKept();
    print(stopped.length === 0 ? 'Nothing was left running.' : `Stopped: ${stopped.join(', ')}.`);
    return 0;
  }
  const running = createRunning();
  const stop = new AbortController();
  const work = quickstart(options, running, stop.signal).then(
    () => 0,
    async (error: unknown) => {
      await running.stopAll({ keepLogs: !stop.signal.aborted }).catch((fault: AggregateError) => complain(fault));
      return stop.signal.aborted ? 0 : complain(error);
    },
  );
  const first = await Promise.race([work.then((code) => ({ code })), interruption().then((signal) => ({ signal }))]);
  if ('code' in first) return first.code;
  stop.abort();
  process.stderr.write('\nStopping …\n');
  await running.stopAll({ keepLogs: false });
  // Also what is only being started or fetched: the step that waits for it then fails, and what it began is cleaned up.
  endAllChildren();
  await work;
  return first.signal;
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => process.exit(complain(error)),
);
