import type { Completes, CompletionCommand } from "./completion-model.ts";

/** The shells that a script is written for. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

export type Shell = (typeof SHELLS)[number];

/** The script that teaches a shell the commands; what it defines is called `_overparam`. */
export function completionScript(shell: Shell, commands: readonly CompletionCommand[]): string {
  const write = { bash: bashScript, zsh: zshScript, fish: fishScript }[shell];
  return write(commands);
}

/** Prints the ids of the saved runs, one a line. */
const RUN_IDS = "overparam runs ls --plain --quiet 2>/dev/null | tail -n +2 | cut -f 1";

/** Words that begin a command, each with what it does: `runs` stands for its subcommands. */
function topWords(commands: readonly CompletionCommand[]): [string, string][] {
  const words = new Map<string, string>();
  for (const { name, summary } of commands) {
    const [first = "", second] = name.split(" ");
    if (!words.has(first)) words.set(first, second === undefined ? summary : `work with saved ${first}`);
  }
  return [...words, ["help", "help on a command"]];
}

/** The groups of subcommands: `runs` -> `ls`, `show`, ... */
function groupsOf(commands: readonly CompletionCommand[]): Map<string, CompletionCommand[]> {
  const groups = new Map<string, CompletionCommand[]>();
  for (const command of commands) {
    const [group = "", second] = command.name.split(" ");
    if (second !== undefined) groups.set(group, [...(groups.get(group) ?? []), command]);
  }
  return groups;
}

function lastWord({ name }: CompletionCommand): string {
  return name.split(" ").at(-1) ?? name;
}

/** A text in single quotes, for a POSIX shell. */
function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** The cases `command flag`, for flags with a value, that complete in the same way. */
function valueCases(commands: readonly CompletionCommand[], action: (value: Completes) => string): string[] {
  const cases = new Map<string, string[]>();
  for (const { name, flags } of commands) {
    for (const { name: flag, value } of flags) {
      if (value === null) continue;
      const key = action(value);
      cases.set(key, [...(cases.get(key) ?? []), quote(`${name} ${flag}`)]);
    }
  }
  return [...cases].map(([act, patterns]) => `    ${patterns.join("|")}) ${act} ;;`);
}

function argumentCases(commands: readonly CompletionCommand[], action: (value: Completes) => string): string[] {
  return commands.map(({ name, argument }) => `    ${quote(name)}) ${action(argument)} ;;`);
}

function bashScript(commands: readonly CompletionCommand[]): string {
  const matching = (words: string): string => `COMPREPLY=($(compgen -W ${words} -- "$cur"))`;
  // Where nothing is found, bash goes on with files (-o default).
  const action = (value: Completes): string => {
    if (value.kind === "words") return `${matching(quote(value.words.join(" ")))}; return`;
    if (value.kind === "runs") return `${matching(`"$(${RUN_IDS})"`)}; return`;
    return "return";
  };
  const groups = [...groupsOf(commands)];
  return `# Completion of overparam for bash; in ~/.bashrc: eval "$(overparam completion bash)"
_overparam() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} command=\${COMP_WORDS[1]} first=2
  COMPREPLY=()
  if (( COMP_CWORD == 1 )); then
    ${matching(
      quote(
        topWords(commands)
          .map(([word]) => word)
          .join(" "),
      ),
    )}; return
  fi
${groups
  .map(
    ([group, members]) => `  if [[ $command == ${group} ]]; then
    if (( COMP_CWORD == 2 )); then ${matching(quote(members.map(lastWord).join(" ")))}; return; fi
    command="${group} \${COMP_WORDS[2]}"
  fi`,
  )
  .join("\n")}
  case "$command $prev" in
${valueCases(commands, action).join("\n")}
  esac
  if [[ $cur == -* ]]; then
    case $command in
${commands.map(({ name, flags }) => `      ${quote(name)}) ${matching(quote(flags.map((flag) => flag.name).join(" ")))} ;;`).join("\n")}
    esac
    return
  fi
  case $command in
${argumentCases(commands, action).join("\n")}
    help) ${matching(
      quote(
        topWords(commands)
          .map(([word]) => word)
          .join(" "),
      ),
    )} ;;
  esac
}
complete -o default -F _overparam overparam
`;
}

/** `word:what it does` for zsh's _describe, in which colons part the two. */
function described([word, does]: readonly [string, string]): string {
  return quote(`${word}:${does.replaceAll(":", "\\:")}`);
}

function zshScript(commands: readonly CompletionCommand[]): string {
  const action = (value: Completes): string => {
    if (value.kind === "words") return `compadd -- ${value.words.map(quote).join(" ")}; return`;
    if (value.kind === "runs") return `compadd -- \${(f)"$(${RUN_IDS})"}; _files; return`;
    return value.kind === "files" ? "_files; return" : "return";
  };
  const groups = [...groupsOf(commands)];
  return `#compdef overparam
# Completion of overparam for zsh; in ~/.zshrc, after compinit: eval "$(overparam completion zsh)"
_overparam() {
  local command=$words[2] previous=$words[CURRENT-1]
  local -a names
  if (( CURRENT == 2 )); then
    names=(${topWords(commands).map(described).join(" ")})
    _describe command names; return
  fi
${groups
  .map(
    ([group, members]) => `  if [[ $command == ${group} ]]; then
    if (( CURRENT == 3 )); then
      names=(${members.map((member) => described([lastWord(member), member.summary])).join(" ")})
      _describe command names; return
    fi
    command="${group} $words[3]"
  fi`,
  )
  .join("\n")}
  case "$command $previous" in
${valueCases(commands, action).join("\n")}
  esac
  if [[ $PREFIX == -* ]]; then
    case $command in
${commands.map(({ name, flags }) => `      ${quote(name)}) names=(${flags.map((flag) => described([flag.name, flag.description])).join(" ")}) ;;`).join("\n")}
    esac
    _describe -o flag names; return
  fi
  case $command in
${argumentCases(commands, action).join("\n")}
    help) names=(${topWords(commands).map(described).join(" ")}); _describe command names ;;
  esac
}
compdef _overparam overparam
`;
}

function fishScript(commands: readonly CompletionCommand[]): string {
  // Within single quotes fish reads backslashes before quotes and backslashes only.
  const text = (words: string): string => `'${words.replace(/[\\']/g, "\\$&")}'`;
  const complete = (condition: string, rest: string): string => `complete -c overparam -n ${text(condition)} ${rest}`;
  const completed = (value: Completes): string => {
    if (value.kind === "words") return `-f -a ${text(value.words.join(" "))}`;
    if (value.kind === "runs") return `-a ${text(`(${RUN_IDS})`)}`;
    return value.kind === "files" ? "-F" : "-f";
  };
  const groups = [...groupsOf(commands)];
  const seen = (name: string): string =>
    name
      .split(" ")
      .map((word) => `__fish_seen_subcommand_from ${word}`)
      .join("; and ");
  return `${[
    "# Completion of overparam for fish; in ~/.config/fish/config.fish: overparam completion fish | source",
    "complete -c overparam -f",
    ...topWords(commands).map(([word, does]) => complete("__fish_use_subcommand", `-a ${word} -d ${text(does)}`)),
    ...groups.flatMap(([group, members]) => {
      const open = `__fish_seen_subcommand_from ${group}; and not __fish_seen_subcommand_from ${members.map(lastWord).join(" ")}`;
      return members.map((member) => complete(open, `-a ${lastWord(member)} -d ${text(member.summary)}`));
    }),
    ...commands.flatMap(({ name, flags, argument }) => [
      ...(argument.kind === "nothing" ? [] : [complete(seen(name), completed(argument))]),
      ...flags.map((flag) => {
        const value = flag.value === null ? "" : ` -r ${completed(flag.value)}`;
        return complete(seen(name), `-l ${flag.name.slice(2)}${value} -d ${text(flag.description)}`);
      }),
    ]),
  ].join("\n")}\n`;
}
