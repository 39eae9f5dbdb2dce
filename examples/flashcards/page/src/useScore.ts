/** The user's score over all conversations. The backend counts it; nothing is counted here. */

import { useEffect, useState } from 'react';

export interface Score {
  right: number;
  asked: number;
  /** Questions that were answered wrong more often than right. */
  practise: string[];
}

/** The score as the backend has it; null until it is known. */
export function useScore(): Score | null {
  const [score, setScore] = useState<Score | null>(null);
  useEffect(() => {
    const news = new EventSource('/api/score');
    news.onmessage = ({ data }: MessageEvent<string>) => setScore(JSON.parse(data) as Score);
    return () => news.close();
  }, []);
  return score;
}
