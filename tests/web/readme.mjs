// In the page: what README's lines made of it.

export default async function readme() {
  const until = performance.now() + 120_000;
  while (document.title === "waiting" && performance.now() < until) await new Promise((later) => setTimeout(later, 50));
  return document.title;
}
