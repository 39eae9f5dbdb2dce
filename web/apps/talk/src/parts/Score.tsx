/** How many were right of how many that were asked. */

import { scoreSentence } from '../words.ts';

export function Score({ right, asked }: { right: number; asked: number }) {
  return (
    <p className="score" data-testid="score" data-right={right} data-asked={asked} hidden={asked === 0}>
      <span className="unseen">{scoreSentence(right, asked)}</span>
      <span aria-hidden="true">
        <b>{right}</b>
        <i>of</i>
        {asked}
      </span>
    </p>
  );
}
