import type { Model, ModelOrder } from '../api/models.ts';
import type { Question } from './confirm-dialog.tsx';

/** Something that can be asked of a model in its stage. */
export interface Choice {
  readonly name: string;
  readonly order: ModelOrder;
  readonly question: Question;
}

/** The stage of a version; a server without a registry knows active ones only. */
export function stageOf(model: Model): string {
  return model.stage ?? (model.is_active ? 'active' : 'candidate');
}

export function titleOf(model: Model): string {
  return model.name ?? model.original_filename ?? model.version;
}

/** What can be asked of a model, the usual first. */
export function choicesOf(model: Model, hasPredecessor: boolean): Choice[] {
  const title = `${titleOf(model)} ${model.version}`;
  const stage = stageOf(model);
  const choices: Choice[] = [];
  if (stage === 'active') {
    if (hasPredecessor) {
      choices.push({
        name: 'Roll back',
        order: { kind: 'rollback' },
        question: {
          title: 'Roll back?',
          text: `The version that was active before ${title} judges again, from the next request on.`,
          confirm: 'Roll back',
        },
      });
    }
    choices.push({
      name: 'Deactivate',
      order: { kind: 'deactivate' },
      question: {
        title: 'Deactivate?',
        text: `${title} judges nothing any more. Rows that no other model fits are not judged at all.`,
        confirm: 'Deactivate',
      },
    });
    return choices;
  }
  choices.push({
    name: 'Activate',
    order: { kind: 'activate' },
    question: {
      title: 'Activate?',
      text: `${title} judges from the next request on. Whatever judges the same rows now is retired, and can be brought back by a rollback.`,
      confirm: 'Activate',
    },
  });
  if (stage !== 'shadow') {
    choices.push({
      name: 'Put in shadow',
      order: { kind: 'stage', stage: 'shadow' },
      question: {
        title: 'Put in shadow?',
        text: `${title} judges what the active version judges, and nobody sees its verdicts but the comparison.`,
        confirm: 'Put in shadow',
      },
    });
  }
  if (stage !== 'canary') {
    choices.push({
      name: 'Make a canary',
      order: { kind: 'stage', stage: 'canary', share: 0.01 },
      question: {
        title: 'Make a canary?',
        text: `${title} judges 1 % of the flows; always the same flows, chosen by their addresses.`,
        confirm: 'Make a canary',
      },
    });
  }
  if (stage === 'shadow' || stage === 'canary') {
    choices.push({
      name: 'Retire',
      order: { kind: 'deactivate' },
      question: {
        title: 'Retire?',
        text: `${title} is taken out of the comparison and judges nothing.`,
        confirm: 'Retire',
      },
    });
  } else {
    choices.push({
      name: 'Delete',
      order: { kind: 'delete' },
      question: {
        title: 'Delete?',
        text: `The bytes of ${title} go; its history stays. Verdicts it gave cannot be explained any more.`,
        confirm: 'Delete',
      },
    });
  }
  return choices;
}
