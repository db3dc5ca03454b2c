/** A plan as text (`--dry-run`), and its steps as they happen (`--explain`). */
import type {Plan, Step, StepDone} from '../../native';

const reasonColumn = 64;

export function planText(plan: Plan, subject: string): string {
  const settings = Object.entries(plan.cgroup).map(([file, value]) => `${file} = ${value}`);
  return [
    `Plan for ${subject}; nothing has been created`,
    '',
    heading('Namespaces', [plan.namespaces.join(' ')]),
    heading('Cgroup', settings),
    heading('Mounts', plan.mounts),
    heading('Capabilities', [plan.caps.join(' ')]),
    `Steps (${plan.steps.length})`,
    ...plan.steps.map((step, index) => `${String(index + 1).padStart(4)}. ${stepText(step)}`),
    '',
  ].join('\n');
}

function heading(title: string, lines: readonly string[]): string {
  const shown = lines.filter(Boolean);
  return `${title}\n${(shown.length > 0 ? shown : ['(none)']).map(line => `  ${line}\n`).join('')}`;
}

export function stepLine(step: StepDone): string {
  const place = `${String(step.index + 1).padStart(3)}  ${step.side.padEnd(8)}  ${String(step.microseconds).padStart(6)} us`;
  return `${place}  ${stepText(step)}\n`;
}

function stepText(step: Step): string {
  const call = callText(step);
  const missing = step.available ? '' : `   [not available here${step.needs ? `: needs ${step.needs}` : ''}]`;
  return `${call.padEnd(reasonColumn)}  # ${step.why}${missing}`;
}

/** `detail` is either the arguments or, for a step that is more than one call, words of its own. */
function callText({op, syscall, detail}: Step): string {
  if (syscall === undefined) return detail === '' ? op : `${op}: ${detail}`;
  if (detail.startsWith(syscall)) return detail;
  return detail.startsWith('(') ? `${syscall}${detail}` : `${syscall}(${detail})`;
}
