// The commands of `ike-native`: argument list -> command -> exit status. cli.ts is the executable around it.
//
// run: configuration file -> createGateway -> its events become log lines (standard error) and, with --trace, one line a
// message (standard output) -> SIGINT or SIGTERM -> gateway.close(), which tells the peers -> status 0.

import { readFileSync } from 'node:fs';
import { Command, CommanderError, Option } from 'commander';
import { type ConfigInput, parseConfig } from '../config/parse.ts';
import { IkeError } from '../errors.ts';
import { loadConfigFile } from './load.ts';
import { createLog, LOG_LEVELS, type LogLevel, logEvents } from './log.ts';
import { formatTrace } from './trace.ts';

/** Where a program's text goes. */
export interface Output {
  out(text: string): unknown;
  error(text: string): unknown;
}

/** Runs one command; `args` are the words behind the program's name. Resolves to the exit status, never rejects. */
export async function runProgram(args: readonly string[], output: Output): Promise<number> {
  const program = build(output);
  try {
    await program.parseAsync([...args], { from: 'user' });
    return 0;
  } catch (error) {
    // commander has said what is wrong already; help and version arrive here too, with status 0.
    if (error instanceof CommanderError) return error.exitCode;
    output.error(`ike-native: ${error instanceof Error ? error.message : String(error)}\n`);
    // What is not ours is a bug, and then the stack is what its finder needs.
    if (error instanceof Error && !(error instanceof IkeError)) output.error(`${error.stack}\n`);
    return 1;
  }
}

function build(output: Output): Command {
  const program = new Command('ike-native')
    .description('An IPsec gateway in Node.')
    .version(version())
    .exitOverride()
    .configureOutput({ writeOut: (text) => output.out(text), writeErr: (text) => output.error(text) });
  program
    .command('run')
    .description('run a gateway until SIGINT or SIGTERM')
    .requiredOption('-c, --config <file>', 'configuration: JSON, or an ES module that exports it')
    .addOption(new Option('-l, --log-level <level>', 'what is logged').choices(LOG_LEVELS).default('info'))
    .option('-t, --trace', 'print one line for each IKE message')
    .action((options: { config: string; logLevel: LogLevel; trace?: true }) => run(options, output));
  program
    .command('check')
    .description('read a configuration and say what is wrong with it; starts nothing')
    .requiredOption('-c, --config <file>', 'configuration: JSON, or an ES module that exports it')
    .action(async ({ config }: { config: string }) => {
      const { connections } = parseConfig(await loadConfigFile(config));
      const names = Object.values(connections).map(
        ({ name, children }) => `${name} (${Object.keys(children).join(', ')})`,
      );
      output.out(`${config}: good. Connections (children): ${names.join(', ') || 'none'}\n`);
    });
  return program;
}

async function run(
  options: { config: string; logLevel: LogLevel; trace?: true },
  output: Output,
): Promise<void> {
  const log = createLog(options.logLevel);
  const input = await loadConfigFile(options.config);
  parseConfig(input);
  // Loaded here, so that `check` and `--help` touch neither WASM nor the addon.
  const { createGateway } = await import('../gateway.ts');
  // Before the first socket opens, so that a signal during the start ends it cleanly too.
  const stopped = firstSignal();
  await using gateway = await createGateway(input as ConfigInput, { log });
  logEvents(gateway, log);
  if (options.trace) gateway.on('message', (message) => output.out(`${formatTrace(message)}\n`));
  log.info('started', { config: options.config, version: version() });
  log.info('stopping', { signal: await stopped });
  await gateway.close();
  log.info('stopped');
}

/** Resolves with the first SIGINT or SIGTERM; a second one ends the process at once. */
function firstSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let asked = false;
    const onSignal = (signal: NodeJS.Signals): void => {
      if (asked) process.exit(1);
      asked = true;
      resolve(signal);
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
  });
}

/** The package's version, from the package.json above dist/lib/control. */
function version(): string {
  return JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')).version;
}
