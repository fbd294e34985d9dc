import { LeasedWork } from "../core/leased-work.ts";
import type { QuestionEntry } from "../core/question.ts";
import type { Questions } from "../core/questions.ts";
import type { SharedStore } from "../core/shared-store.ts";
import { isCovered } from "../protocol/channel.ts";
import { URGENCIES, type Notice } from "../protocol/question.ts";
import { PostFault } from "../webhooks/out/safe-post.ts";
import type { AnswerLinks } from "./answer-links.ts";
import type { ConfiguredStep } from "./step-file.ts";
import { Refused, type Way } from "./way.ts";

/** Who hears of which questions, and how long after they were asked. */
export interface Step extends Omit<ConfiguredStep, "ntfy" | "slack" | "webPush"> {
  readonly way: Way;
}

export interface NotifierOptions {
  readonly steps: readonly Step[];
  readonly questions: Pick<Questions, "get" | "list" | "addNotice">;
  readonly shared: SharedStore;
  readonly links: AnswerLinks;
  /** Where people reach the server. */
  readonly base: string;
  /** Called with a sentence for the operator. */
  readonly report: (sentence: string) => void;
  /** Milliseconds since 1970. */
  readonly now?: (() => number) | undefined;
}

/** A step that is still to be taken for a question. */
interface Pending {
  readonly id: string;
  /** Undefined for all who asked without a credential. */
  readonly askerId: string | undefined;
  readonly urgency: number;
  readonly step: Step;
  /** Milliseconds since 1970. */
  due: number;
  tries: number;
  isRunning: boolean;
  /** What came of it, once it was taken: what is left is to note that. */
  notice?: Notice;
}

/** A notice that a step has sent. */
interface Sent extends Pick<Pending, "askerId"> {
  /** Milliseconds since 1970. */
  readonly time: number;
}

/** What is looked after by one node at a time. */
const WORK = "notify";
/** Milliseconds before each further try. */
const RETRIES: readonly number[] = [5000, 30_000, 120_000];
/** A step that is later than that, in milliseconds, is not taken any more. */
const MAX_LATE = 86_400_000;
/** Notices that one step sends in so many milliseconds: a flood of questions is no reason to ring a phone all the time. */
const BURST = 20;
const BURST_TIME = 60_000;
/** Notices that are sent at once, and milliseconds before more are looked at. */
const AT_ONCE = 32;
const PAUSE = 200;

/**
 * Tells people of open questions beside their channels, step by step until someone has answered. One node does this at a
 * time. A step that was taken is noted in the question, so another node, or the same after a restart, goes on with the
 * next; if a node dies between the two, that step is taken twice.
 */
export class Notifier {
  readonly #options: NotifierOptions;
  readonly #now: () => number;
  readonly #work: LeasedWork;
  /** By question. */
  readonly #pending = new Map<string, readonly Pending[]>();
  /** The notices that each step sent last. */
  readonly #sent = new Map<string, readonly Sent[]>();
  readonly #running = new Set<Promise<void>>();
  readonly #end = new AbortController();
  /** On this node since its start. */
  sent = 0;
  failed = 0;

  constructor(options: NotifierOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#work = new LeasedWork({
      shared: options.shared,
      name: WORK,
      now: this.#now,
      next: () => this.#next(),
      run: (signal) => this.#run(signal),
      prepare: () => Promise.resolve(this.#refresh()),
      report: (error) => options.report(`people cannot be told of questions: ${String(error)}`),
    });
  }

  /** Called with each question that was asked or changed, and without one after all have been read. */
  onChange(entry?: QuestionEntry): void {
    if (entry === undefined) this.#refresh();
    else this.#see(entry);
    this.#work.arm();
  }

  /** Does what is due, if this node holds the lease. */
  wake(): void {
    this.#work.wake();
  }

  /** Stops; another node goes on. */
  async close(): Promise<void> {
    this.#end.abort();
    await this.#work.close();
    await Promise.all(this.#running);
  }

  #refresh(): void {
    const open = this.#options.questions.list().filter(({ isOpen }) => isOpen);
    const ids = new Set(open.map(({ id }) => id));
    for (const id of this.#pending.keys()) if (!ids.has(id)) this.#pending.delete(id);
    for (const entry of open) this.#see(entry);
  }

  #see({ id, channel, isOpen, asked, askerId, urgency: named }: QuestionEntry): void {
    if (!isOpen) this.#pending.delete(id);
    if (!isOpen || this.#pending.has(id)) return;
    const urgency = URGENCIES.indexOf(named);
    const state = { id, askerId, urgency, tries: 0, isRunning: false };
    const pending = this.#options.steps
      .filter(({ channels }) => isCovered(channels, channel))
      .map((step): Pending => ({ ...state, step, due: asked + step.afterSeconds * 1000 }))
      .filter(({ due }) => due > this.#now() - MAX_LATE);
    if (pending.length > 0) this.#pending.set(id, pending);
  }

  *#waiting(): Iterable<Pending> {
    for (const list of this.#pending.values()) for (const pending of list) if (!pending.isRunning) yield pending;
  }

  #next(): number {
    let next = Infinity;
    for (const { due } of this.#waiting()) next = Math.min(next, due);
    return next;
  }

  /** Begins what is due; it goes on by itself, so that a destination that does not answer holds up no other. */
  async #run(signal: AbortSignal): Promise<number> {
    const now = this.#now();
    for (const pending of this.#inTurn([...this.#waiting()].filter(({ due }) => due <= now))) {
      if (this.#running.size >= AT_ONCE) return PAUSE;
      pending.isRunning = true;
      const running = this.#tell(pending, AbortSignal.any([signal, this.#end.signal])).finally(() => {
        this.#running.delete(running);
        pending.isRunning = false;
        this.#work.arm();
      });
      this.#running.add(running);
    }
    await Promise.resolve();
    return 0;
  }

  /** The most urgent first, and then askers by turns: whoever had fewer notices of a step lately. */
  #inTurn(due: readonly Pending[]): readonly Pending[] {
    const turns = new Map<string, number>();
    const turnOf = (step: string, askerId = ""): number => {
      const key = `${step}\n${askerId}`;
      const turn = turns.get(key) ?? 0;
      turns.set(key, turn + 1);
      return turn;
    };
    for (const [step] of this.#sent) for (const { askerId } of this.#recent(step)) turnOf(step, askerId);
    return due
      .toSorted((a, b) => b.urgency - a.urgency || a.due - b.due)
      .map((pending) => ({ pending, turn: turnOf(pending.step.name, pending.askerId) }))
      .sort((a, b) => b.pending.urgency - a.pending.urgency || a.turn - b.turn)
      .map(({ pending }) => pending);
  }

  /** What a step has sent within the time that its bound is for. */
  #recent(step: string): readonly Sent[] {
    const since = this.#now() - BURST_TIME;
    return (this.#sent.get(step) ?? []).filter(({ time }) => time > since);
  }

  /** Counts what a step sends, or puts it off if that is too much. */
  #admit(pending: Pending): boolean {
    const { askerId, step } = pending;
    const time = this.#now();
    const recent = this.#recent(step.name);
    if (recent.length >= BURST) pending.due = (recent[0]?.time ?? time) + BURST_TIME;
    else this.#sent.set(step.name, [...recent, { askerId, time }]);
    return pending.due <= time;
  }

  async #tell(pending: Pending, signal: AbortSignal): Promise<void> {
    const { step, id } = pending;
    const { questions, links, base } = this.#options;
    const { name, urgency, answerAs, way } = step;
    try {
      if (pending.notice !== undefined) return await this.#note(pending, pending.notice);
      const question = (await questions.get(id))?.question;
      const isTold = question?.notices?.some((notice) => notice.name === name) ?? false;
      const isUrgent = URGENCIES.indexOf(question?.urgency ?? "low") >= URGENCIES.indexOf(urgency);
      if (question === undefined || question.state === "closed" || isTold || !isUrgent) return this.#drop(pending);
      if (!this.#admit(pending)) return undefined;
      const choices = answerAs === undefined ? [] : await links.choicesFor(question, answerAs);
      const count = await way.send({ question, page: `${base}/chat#${question.channel}`, choices }, signal);
      this.sent++;
      await this.#note(pending, { name, way: way.kind, at: new Date(this.#now()).toISOString(), count });
    } catch (error) {
      // Another node goes on.
      if (!signal.aborted) await this.#failed(pending, error);
    }
    return undefined;
  }

  async #failed(pending: Pending, error: unknown): Promise<void> {
    const pause = RETRIES[pending.tries++];
    const isRefused = error instanceof Refused && !error.mayRetry;
    if (pause !== undefined && !isRefused) {
      pending.due = this.#now() + pause;
      return;
    }
    // It was taken, and cannot be noted: the question is gone, or the log is away for minutes.
    if (pending.notice !== undefined) return this.#drop(pending);
    this.failed++;
    const { name, way } = pending.step;
    const isKnown = error instanceof Refused || error instanceof PostFault;
    const why = isKnown ? error.message : "it failed; the log of the server says why";
    this.#options.report(`step ${name} cannot tell people of a question: ${isKnown ? why : String(error)}`);
    const at = new Date(this.#now()).toISOString();
    await this.#note(pending, { name, way: way.kind, at, count: 0, error: why }).catch(() => {
      pending.due = this.#now() + PAUSE;
    });
  }

  async #note(pending: Pending, notice: Notice): Promise<void> {
    pending.notice = notice;
    await this.#options.questions.addNotice(pending.id, notice);
    this.#drop(pending);
  }

  #drop({ id, step }: Pending): void {
    const left = this.#pending.get(id)?.filter((other) => other.step !== step) ?? [];
    // An empty list stays, so that the question is not taken for a new one.
    if (this.#pending.has(id)) this.#pending.set(id, left);
  }
}
