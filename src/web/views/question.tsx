import { render } from "preact";
import type { Answer, Question } from "../../protocol/question.ts";
import { QuestionCard } from "../questions/card.tsx";
import type { Desk } from "../questions/desk.ts";
import { outcomeText } from "../questions/words.ts";
import { readable } from "../shared/names.ts";
import { inSight, mend } from "./frame.ts";
import { Host, isObject, type JsonObject } from "./host.ts";

/** Milliseconds between two looks for a question whose id is not known. */
const LOOK = 1500;
/** Looks for it at most: then it was not asked. */
const MAX_LOOKS = 40;
/** Milliseconds before a failed look is repeated. */
const RETRY = 5000;
/** Seconds that one look waits for an answer: below what hosts allow a call. */
const WAIT = 20;

/**
 * The question that `ask_person` asks. The call is open until someone answers, so its id comes with the result only;
 * until then it is found by its text. Others may answer it elsewhere.
 */
class QuestionView {
  readonly #host = new Host({ input: (input) => this.#take(input), result: (result) => this.#end(result) });
  #question: Question | undefined;
  #input: JsonObject = {};
  /** Whether the call is still open. */
  #isWaiting = true;
  /** Whether the call ended without an answer, so that the model does not know of one. */
  #isLeftOpen = false;
  #note = "The question is being asked…";
  #isFollowing = false;

  async open(): Promise<void> {
    mend(this.#host);
    this.#render();
    await this.#host.open("hub-question");
  }

  #take(input: JsonObject): void {
    this.#input = input;
    void this.#find();
  }

  #end(result: JsonObject | undefined): void {
    this.#isWaiting = false;
    this.#isLeftOpen = result === undefined || result["status"] === "open";
    const id = result?.["questionId"];
    if (typeof id === "string") void this.#show(id);
    else if (this.#question === undefined) this.#say("The question was not asked.");
  }

  async #find(): Promise<void> {
    const { question: text, channel } = this.#input;
    for (let looks = 0; looks < MAX_LOOKS && this.#question === undefined && this.#isWaiting; looks++) {
      if (this.#host.isOver) return;
      const where = typeof channel === "string" && channel !== "" ? { channel } : {};
      const found = await this.#look({ text, ...where });
      if (found !== undefined && this.#question === undefined && this.#isWaiting) return this.#follow(found);
      await later(LOOK);
    }
  }

  async #show(id: string): Promise<void> {
    for (let looks = 0; looks < MAX_LOOKS && !this.#host.isOver; looks++) {
      const found = await this.#look({ questionId: id });
      if (found !== undefined) return this.#follow(found);
      await later(RETRY);
    }
  }

  /** Waits until the question is closed, by whomever. */
  async #follow(question: Question): Promise<void> {
    this.#put(question);
    if (this.#isFollowing) return;
    this.#isFollowing = true;
    while (this.#question?.state === "open" && !this.#host.isOver) {
      await inSight();
      const { id } = this.#question;
      const start = performance.now();
      try {
        await this.#host.call("await_answer", { questionId: id, timeoutSeconds: WAIT });
      } catch {
        await later(RETRY);
      }
      const now = await this.#look({ questionId: id });
      if (now !== undefined && this.#question.state === "open") this.#put(now);
      // A deadline that has passed ends a wait at once.
      if (this.#question.state === "open" && performance.now() - start < RETRY) await later(RETRY);
    }
    this.#isFollowing = false;
  }

  async #look(input: JsonObject): Promise<Question | undefined> {
    try {
      const { question } = await this.#host.call("look_at_question", input);
      return isObject(question) ? (question as unknown as Question) : undefined;
    } catch (error) {
      this.#say(`The question cannot be shown: ${(error as Error).message}`);
      return undefined;
    }
  }

  async #answer({ id, proposal }: Question, value: Answer): Promise<void> {
    const hash = proposal === undefined ? {} : { proposalHash: proposal.hash };
    const { question } = await this.#host.call("answer_question", { questionId: id, value, ...hash });
    if (!isObject(question)) return;
    const answered = question as unknown as Question;
    this.#put(answered);
    if (!this.#isLeftOpen) return;
    const { text } = outcomeText(answered);
    await this.#host.tell(`I answered the question ${id}: ${text}`).catch(() => {});
  }

  #put(question: Question): void {
    this.#question = question;
    this.#render();
  }

  #say(note: string): void {
    this.#note = note;
    this.#render();
  }

  #render(): void {
    const desk: Desk = { whyNot: () => undefined, answer: (question, value) => this.#answer(question, value) };
    const question = this.#question;
    const shown =
      question === undefined ? (
        <p class="note" role="status">
          {this.#note}
        </p>
      ) : (
        <>
          <p class="from">
            <bdi>{readable(question.asker)}</bdi> asks in <b>{question.channel}</b>
          </p>
          <QuestionCard question={question} whyNot={undefined} desk={desk} />
        </>
      );
    render(shown, document.getElementById("view") as HTMLElement);
  }
}

function later(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

void new QuestionView().open();
