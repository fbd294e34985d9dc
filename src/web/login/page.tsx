import { useRef, useState } from "preact/hooks";
import { Bar, mount } from "../shared/page.tsx";
import { readable } from "../shared/names.ts";
import { loadSession, verifiedName, type Session } from "../shared/session.ts";

interface LoginProps {
  readonly session: Session;
  /** The page that leads here: a path of this server. */
  readonly next: string;
}

/** Characters that a header can carry, and that tokens are made of. */
const TOKEN = /^[\w~+/.-]+=*$/;

/** Turns a key or a token into a session of this browser, or leads to the identity provider. */
export function LoginPage({ session, next = "/" }: Partial<LoginProps>) {
  const field = useRef<HTMLInputElement>(null);
  const [said, say] = useState("");
  const [isBusy, setBusy] = useState(false);
  const logIn = async (): Promise<void> => {
    if (isBusy || field.current === null) return;
    setBusy(true);
    say("");
    const why = await begin(field.current.value.trim());
    setBusy(false);
    if (why === undefined) location.replace(next);
    else say(why);
  };
  const name = session && verifiedName(session);
  return (
    <>
      <Bar />
      <main>
        <h1>Log in</h1>
        {session?.login === "none" && <p>No one needs to log in to this server.</p>}
        {name !== undefined && (
          <p>
            You are logged in as <bdi>{readable(name)}</bdi>. <a href={next}>Go on</a>, or log in as someone else.
          </p>
        )}
        {session?.login === "provider" && (
          <>
            <p>
              <a id="provider" class="way" href={`login/start?next=${encodeURIComponent(next)}`}>
                <b>Log in with your account</b> <span>at your team's identity provider</span>
              </a>
            </p>
            <p>Or with an API key or a token:</p>
          </>
        )}
        <form
          id="login"
          onSubmit={(event) => {
            event.preventDefault();
            void logIn();
          }}
        >
          <label for="token">API key or token</label>
          <input id="token" ref={field} type="password" autocomplete="current-password" spellcheck={false} required />
          <button disabled={session === undefined || session.login === "none"} aria-disabled={isBusy || undefined}>
            Log in
          </button>
          <p>This browser then keeps a session in a cookie, and not the key.</p>
          <p id="said" role="alert">
            {said}
          </p>
        </form>
        <noscript>
          <p>Logging in needs JavaScript.</p>
        </noscript>
      </main>
    </>
  );
}

/** Begins a session; says why there is none. */
async function begin(token: string): Promise<string | undefined> {
  if (!TOKEN.test(token)) return "That is neither an API key nor a token.";
  try {
    const response = await fetch("session", { method: "POST", headers: { authorization: `Bearer ${token}` } });
    if (response.status === 401) return "This key or token is not valid here. It may have expired or been revoked.";
    if (!response.ok)
      return `${((await response.json()) as { readonly detail?: string }).detail ?? response.statusText}.`;
  } catch {
    return "The server cannot be reached; try again.";
  }
  if (verifiedName(await loadSession()) !== undefined) return undefined;
  return "This browser did not keep the session; that takes https, or a server on this machine.";
}

/** Where the address says that one came from; the start page if that is not a page of this server. */
function nextPage(): string {
  const next = new URLSearchParams(location.search).get("next") ?? "";
  const url = URL.canParse(next, location.href) ? new URL(next, location.href) : undefined;
  const isOwn = next.startsWith("/") && url?.origin === location.origin;
  return isOwn ? url.pathname + url.search + url.hash : "./";
}

mount<LoginProps>(LoginPage, (_, session) => ({ session, next: nextPage() }));
