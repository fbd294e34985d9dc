export { APP_TOOLS } from "./app-tools.ts";
export { authorizeCall, callTool } from "./call.ts";
export {
  cannotAsk,
  defineTool,
  type PersonAnswer,
  type ToolAnswer,
  type ToolCall,
  type ToolDefinition,
  type ToolMessage,
} from "./define-tool.ts";
export { lenient } from "./lenient.ts";
export { participantsFor } from "./list-participants.ts";
export { readableChannels } from "./readable-channels.ts";
export { admittedDraft, publish } from "./publish.ts";
export { cancelScheduled, listScheduled, ownScheduled, scheduledMessage, publishLater } from "./schedule.ts";
export { questionInput, readQuestion, type QuestionInput } from "./question-input.ts";
export {
  answerQuestion,
  askQuestion,
  cancelQuestion,
  hasAsked,
  isAskedBy,
  listQuestions,
  mayLookAt,
  visibleQuestion,
} from "./questions.ts";
export { outcomeOf, seenBy, waited } from "./question-wait.ts";
export { checkedInput } from "./checked-input.ts";
export { problems } from "./validation-message.ts";
export { channelSummary, marked, messageObject, messagePage, type MessagePage } from "./results.ts";
export {
  ToolError,
  type AskAnswer,
  type QuestionDoor,
  type Tool,
  type RequestContext,
  type StayEnd,
  type ToolListing,
  type ToolOutcome,
} from "./tool.ts";
export { ToolSet, unknownTool } from "./tool-set.ts";
export { listing } from "./tool.ts";
