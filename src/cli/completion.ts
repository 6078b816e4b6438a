import { Argument, type Command, Option } from 'commander';
import { type CommandLine, command } from './command-line.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];

/** Needs the whole program: made last. */
export function completionCommand(line: CommandLine, program: Command): Command {
  return command(
    'completion',
    'prints what teaches a shell to complete commands and flags',
    `
Examples:
  source <(bedrock-cohere completion bash)
  bedrock-cohere completion zsh > "\${fpath[1]}/_bedrock-cohere"
  bedrock-cohere completion fish > ~/.config/fish/completions/bedrock-cohere.fish`,
  )
    .addArgument(new Argument('<shell>', 'which shell').choices(SHELLS))
    .action((shell: Shell) => {
      line.stdout.write(completionFor(shell, program));
      line.end(0);
    });
}

interface Completed {
  /** Without the program's name: ``, `apply`, `secrets rotate`. */
  readonly path: string;
  readonly description: string;
  readonly commands: readonly { readonly name: string; readonly description: string }[];
  readonly flags: readonly Flag[];
  readonly choices: readonly string[];
}

interface Flag {
  readonly names: readonly string[];
  readonly description: string;
  /** What follows it: a value of these, any value (a file, for the shell to complete), or nothing. */
  readonly value: 'none' | 'any' | readonly string[];
}

function completionFor(shell: Shell, program: Command): string {
  const all = walk(program, '');
  return { bash, zsh, fish }[shell](all);
}

function walk(current: Command, path: string): Completed[] {
  const commands = current.commands.map((each) => ({ name: each.name(), description: each.description() }));
  const help = new Option('-h, --help', 'display help for command');
  return [
    {
      ...{ path, description: current.description(), commands },
      flags: [...current.options, help].map(flagOf),
      choices: current.registeredArguments.flatMap(choicesOf),
    },
    ...current.commands.flatMap((each) => walk(each, path === '' ? each.name() : `${path} ${each.name()}`)),
  ];
}

function choicesOf(argument: Argument): readonly string[] {
  return argument.argChoices ?? [];
}

function flagOf(option: Option): Flag {
  const names = [option.short, option.long].filter((name) => name !== undefined);
  const takes = option.required || option.optional;
  return { names, description: option.description, value: takes ? (option.argChoices ?? 'any') : 'none' };
}

/** Walks the words typed so far to the command they name, then offers its commands, flags and words. */
function bash(all: readonly Completed[]): string {
  const cases = all.map(
    ({ path, commands, flags, choices }) =>
      `    ${quoted(path)}) words=${quoted([...commands.map(({ name }) => name), ...choices].join(' '))}; flags=${quoted(flags.flatMap(({ names }) => names).join(' '))} ;;`,
  );
  const values = all.flatMap(({ path, flags }) =>
    flags.flatMap(({ names, value }) =>
      names.flatMap((name) => {
        if (value === 'none') return [];
        const offer =
          value === 'any'
            ? 'compopt -o default; COMPREPLY=()'
            : `COMPREPLY=($(compgen -W ${quoted(value.join(' '))} -- "$current"))`;
        return [`    ${quoted(`${path}|${name}`)}) ${offer}; return ;;`];
      }),
    ),
  );
  const known = all.map(({ path }) => quoted(path)).join('|');
  return `# bash completion for bedrock-cohere: source <(bedrock-cohere completion bash)
_bedrock_cohere() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" path="" words="" flags="" word next
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    next="\${path:+$path }$word"
    case "$next" in ${known}) path="$next" ;; esac
  done
  case "$path|$previous" in
${values.join('\n')}
  esac
  case "$path" in
${cases.join('\n')}
  esac
  if [[ "$current" == -* ]]; then COMPREPLY=($(compgen -W "$flags" -- "$current"))
  elif [[ -n "$words" ]]; then COMPREPLY=($(compgen -W "$words" -- "$current"))
  else compopt -o default; COMPREPLY=(); fi
}
complete -F _bedrock_cohere bedrock-cohere
`;
}

function zsh(all: readonly Completed[]): string {
  const cases = all.map(({ path, commands, flags, choices }) => {
    const words = [...commands, ...choices.map((name) => ({ name, description: '' }))].map(({ name, description }) =>
      quoted(`${name}${description && `:${description}`}`),
    );
    const options = flags.flatMap(({ names, description }) => names.map((name) => quoted(`${name}:${description}`)));
    return `    ${quoted(path)}) words_here=(${words.join(' ')}); flags_here=(${options.join(' ')}) ;;`;
  });
  const values = all.flatMap(({ path, flags }) =>
    flags.flatMap(({ names, value }) =>
      names.flatMap((name) => {
        if (value === 'none') return [];
        const offer = value === 'any' ? '_files' : `compadd -- ${value.map(quoted).join(' ')}`;
        return [`    ${quoted(`${path}|${name}`)}) ${offer}; return ;;`];
      }),
    ),
  );
  return `#compdef bedrock-cohere
_bedrock_cohere() {
  local at="" word next
  local -a words_here flags_here
  for word in "\${(@)words[2,CURRENT-1]}"; do
    next="\${at:+$at }$word"
    case "$next" in ${all.map(({ path }) => quoted(path)).join('|')}) at="$next" ;; esac
  done
  case "$at|\${words[CURRENT-1]}" in
${values.join('\n')}
  esac
  case "$at" in
${cases.join('\n')}
  esac
  if [[ "\${words[CURRENT]}" == -* ]]; then _describe flag flags_here
  elif (( \${#words_here} )); then _describe command words_here
  else _files; fi
}
compdef _bedrock_cohere bedrock-cohere
`;
}

function fish(all: readonly Completed[]): string {
  const lines = all.flatMap(({ path, commands, flags, choices }) => {
    const names = commands.map(({ name }) => name).join(' ');
    const seen = path
      .split(' ')
      .filter((word) => word !== '')
      .map((word) => `__fish_seen_subcommand_from ${word}`);
    const here = [...seen, ...(names === '' ? [] : [`not __fish_seen_subcommand_from ${names}`])].join('; and ');
    const start = `complete -c bedrock-cohere -n ${quoted(here)}`;
    return [
      ...commands.map(({ name, description }) => `${start} -f -a ${name} -d ${quoted(description)}`),
      ...(choices.length === 0 ? [] : [`${start} -f -a ${quoted(choices.join(' '))}`]),
      ...flags.map(({ names: forms, description, value }) => {
        const spelt = forms.map((form) => (form.startsWith('--') ? `-l ${form.slice(2)}` : `-s ${form.slice(1)}`));
        const takes = value === 'none' ? '' : value === 'any' ? ' -r' : ` -x -a ${quoted(value.join(' '))}`;
        return `${start} ${spelt.join(' ')}${takes} -d ${quoted(description)}`;
      }),
    ];
  });
  return `# fish completion for bedrock-cohere\n${lines.join('\n')}\n`;
}

/** In single quotes, as all three shells read them. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
