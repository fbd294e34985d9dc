/** Resolves or rejects as the promise does, or rejects with this sentence after so many milliseconds. */
export async function withTimeOut<T>(promise: Promise<T>, milliseconds: number, sentence: string): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(sentence)), milliseconds);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
