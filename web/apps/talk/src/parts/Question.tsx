/** A question to the user before something happens: yes or no, and nothing until then. */

import { useEffect, useRef, type ReactNode } from 'react';

interface QuestionProps {
  id: string;
  heading: string;
  children: ReactNode;
  yes: string;
  onYes: () => void;
  onNo: () => void;
  /** It answers a click of the user's; else it must not take the keyboard away from what they do. */
  takesFocus?: boolean;
}

export function Question({ id, heading, children, yes, onYes, onNo, takesFocus = false }: QuestionProps) {
  const no = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (takesFocus) no.current?.focus();
  }, [takesFocus]);
  return (
    <section
      className={takesFocus ? 'notice' : 'notice small question'}
      data-testid={id}
      role={takesFocus ? 'group' : 'alert'}
      aria-labelledby={`${id}-heading`}
      onKeyDown={({ key }) => key === 'Escape' && onNo()}
    >
      <h2 id={`${id}-heading`}>{heading}</h2>
      {children}
      <p className="answers">
        <button ref={no} type="button" className="plain" onClick={onNo}>
          Not now
        </button>
        <button type="button" className="plain yes" onClick={onYes}>
          {yes}
        </button>
      </p>
    </section>
  );
}
