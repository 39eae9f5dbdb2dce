/** HTML of the assistant's, in its frame, and said to be the assistant's. */

import type { HtmlData } from '@greenroom/client';
import { ToolFrame } from '@greenroom/client/react/panels';

export function Shown({ shown }: { shown: HtmlData }) {
  return (
    <figure className="shown">
      <ToolFrame shown={shown} className="frame" data-testid="frame" />
      <figcaption>The assistant wrote this. It cannot reach this page or the network: type nothing secret into it.</figcaption>
    </figure>
  );
}
