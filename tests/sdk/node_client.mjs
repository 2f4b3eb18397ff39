// The official OpenAI client for Node against a gateway that `run` has started.
//
// As the Python one: each check with a simulated model of the gateway's own and, where it matters what the provider
// reads, with the fake provider's, whose log is compared byte by byte.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import OpenAI from "openai";

const world = JSON.parse(process.env.TRUNKLINE_WORLD);
const SANDBOX = "sandbox/echo-small";
const FAKE = "test/fake";
const FAKE_TEXT = "Hello from the fake provider. It counts its words.";
const MESSAGES = [{ role: "user", content: "What is the weather?" }];
const PIXEL =
  "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9" +
  "awAAAABJRU5ErkJggg==";
const PARAMETERS = {
  type: "object",
  properties: { city: { type: "string" }, days: { type: "integer" } },
  required: ["city", "days"],
  additionalProperties: false,
};
const TOOL = { type: "function", function: { name: "get_weather", parameters: PARAMETERS } };
const PATIENCE_MS = 20_000;

/** A client, and the bodies it has sent. */
function client(key = "plain", options = {}) {
  const sent = [];
  const openai = new OpenAI({
    baseURL: world.base_url,
    apiKey: world.keys[key] ?? key,
    maxRetries: 0,
    timeout: 30_000,
    fetch: (url, request) => {
      sent.push(request.body);
      return fetch(url, request);
    },
    ...options,
  });
  return Object.assign(openai, { sent });
}

const said = (marker) => [{ role: "user", content: `What is the weather? [[node-${marker}]]` }];

/** The one call of this marker in the provider's log, once it has ended; it must have been proper. */
async function readByProvider(marker) {
  for (const until = Date.now() + PATIENCE_MS; Date.now() < until; await sleep(20)) {
    const lines = readFileSync(world.provider_log, "utf8").split("\n").filter(Boolean);
    const calls = lines.map((line) => JSON.parse(line)).filter((call) => call.marker === `node-${marker}`);
    if (calls.length === 0) continue;
    assert.equal(calls.length, 1);
    assert.deepEqual(calls[0].violations, []);
    return calls[0];
  }
  assert.fail(`no call marked ${marker}`);
}

/** The provider has read what the client wrote, byte for byte but for the model's name and what is inserted last. */
async function assertRelayed(wrote, marker, inserted = "") {
  const expected = wrote.replace('"model":"test/fake"', '"model":"fake-model"').slice(0, -1) + inserted + "}";
  assert.equal((await readByProvider(marker)).body, expected);
}

async function collect(stream) {
  const items = [];
  for await (const item of stream) items.push(item);
  return items;
}

const text = (chunks) => chunks.flatMap((chunk) => chunk.choices.map((choice) => choice.delta.content ?? "")).join("");

const checks = {
  async modelsAreListedAndFound() {
    const listed = (await collect(client().models.list())).map((model) => model.id);
    assert(listed.includes(SANDBOX) && listed.includes(FAKE));
    assert.equal((await client().models.retrieve(SANDBOX)).id, SANDBOX);
  },

  async chat() {
    for (const model of [SANDBOX, FAKE]) {
      const answer = await client().chat.completions.create({ model, messages: MESSAGES });
      assert.equal(answer.choices[0].finish_reason, "stop");
      assert(answer.choices[0].message.content);
      assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
    }
  },

  async chatIsRelayedByteForByte() {
    const openai = client();
    const ask = { model: FAKE, messages: said("bytes"), temperature: 0.7, user: "jörg 🚀" };
    const answer = await openai.chat.completions.create(ask);
    assert.equal(answer.choices[0].message.content, FAKE_TEXT);
    await assertRelayed(openai.sent[0], "bytes");
  },

  async streams() {
    for (const model of [SANDBOX, FAKE]) {
      const ask = { model, messages: MESSAGES, stream: true };
      const silent = await collect(await client().chat.completions.create(ask));
      assert(text(silent));
      assert(silent.every((chunk) => chunk.choices.length > 0 && chunk.usage == null));
      assert.equal(silent.at(-1).choices[0].finish_reason, "stop");
      const options = { ...ask, stream_options: { include_usage: true } };
      const counted = await collect(await client().chat.completions.create(options));
      assert.deepEqual(counted.at(-1).choices, []);
      assert(counted.at(-1).usage.completion_tokens > 0);
    }
    const openai = client();
    await collect(await openai.chat.completions.create({ model: FAKE, messages: said("stream"), stream: true }));
    await assertRelayed(openai.sent[0], "stream", ',"stream_options":{"include_usage":true}');
  },

  async tools() {
    for (const model of [SANDBOX, FAKE]) {
      const ask = { model, messages: MESSAGES, tools: [TOOL], tool_choice: "required" };
      const { message, finish_reason } = (await client().chat.completions.create(ask)).choices[0];
      assert.equal(finish_reason, "tool_calls");
      const [call] = message.tool_calls;
      assert.equal(call.function.name, "get_weather");
      assert.deepEqual(Object.keys(JSON.parse(call.function.arguments)).sort(), ["city", "days"]);
      const messages = [...MESSAGES, message, { role: "tool", tool_call_id: call.id, content: "sunny" }];
      const answer = await client().chat.completions.create({ model, messages, tools: [TOOL] });
      assert(answer.choices[0].message.content);
    }
  },

  async streamedTools() {
    for (const model of [SANDBOX, FAKE]) {
      const ask = { model, messages: MESSAGES, tools: [TOOL], tool_choice: "required", stream: true };
      const chunks = await collect(await client().chat.completions.create(ask));
      const deltas = chunks.flatMap((chunk) => chunk.choices[0].delta.tool_calls ?? []);
      assert.equal(deltas[0].function.name, "get_weather");
      const pieces = deltas.map((delta) => delta.function.arguments).filter(Boolean);
      assert(pieces.length > 1);
      assert.deepEqual(Object.keys(JSON.parse(pieces.join(""))).sort(), ["city", "days"]);
      const final = await client().chat.completions.stream(ask).finalChatCompletion();
      assert.equal(final.choices[0].message.tool_calls.length, 1);
    }
  },

  async toolRunner() {
    // The client calls the tool itself and sends its result: a whole conversation.
    const asked = [];
    const tool = {
      type: "function",
      function: {
        name: "get_weather",
        parameters: PARAMETERS,
        parse: JSON.parse,
        function: (place) => {
          asked.push(place);
          return "sunny";
        },
      },
    };
    // The sandbox calls a tool that the question names.
    const messages = [{ role: "user", content: "What is the weather? Use get_weather." }];
    const runner = client().chat.completions.runTools({ model: SANDBOX, messages, tools: [tool] });
    assert(await runner.finalContent());
    assert.equal(asked.length, 1);
    assert("city" in asked[0]);
  },

  async imagesAreRelayedByteForByte() {
    for (const [name, url] of Object.entries({ data: PIXEL, https: "https://example.com/a%20cat.png?x=ü" })) {
      const openai = client();
      const content = [
        { type: "text", text: `Look: [[node-image-${name}]]` },
        { type: "image_url", image_url: { url } },
      ];
      await openai.chat.completions.create({ model: FAKE, messages: [{ role: "user", content }] });
      await assertRelayed(openai.sent[0], `image-${name}`);
      assert((await readByProvider(`image-${name}`)).body.includes(url));
    }
  },

  async jsonSchema() {
    const response_format = { type: "json_schema", json_schema: { name: "weather", strict: true, schema: PARAMETERS } };
    const answer = await client().chat.completions.parse({ model: SANDBOX, messages: MESSAGES, response_format });
    assert.equal(typeof answer.choices[0].message.parsed.city, "string");
    const openai = client();
    await openai.chat.completions.create({ model: FAKE, messages: said("schema"), response_format });
    await assertRelayed(openai.sent[0], "schema");
  },

  async embeddings() {
    // The second is known from the fake provider's own listing only.
    for (const model of ["sandbox/embed", "open/fake-model"]) {
      const packed = await client().embeddings.create({ model, input: ["one", "two three"] });
      const plain = await client().embeddings.create({ model, input: ["one", "two three"], encoding_format: "float" });
      assert.equal(packed.data.length, 2);
      packed.data[0].embedding.forEach((number, at) => {
        assert(Math.abs(number - plain.data[0].embedding[at]) < 1e-6);
      });
    }
  },

  async legacyCompletions() {
    for (const model of [SANDBOX, FAKE]) {
      assert((await client().completions.create({ model, prompt: "one two" })).choices[0].text);
      const chunks = await collect(await client().completions.create({ model, prompt: "one two", stream: true }));
      assert(chunks.map((chunk) => chunk.choices[0].text).join(""));
    }
  },

  async errorsAreTheClientsOwnClasses() {
    const ask = (openai, model) => openai.chat.completions.create({ model, messages: MESSAGES });
    await assert.rejects(ask(client("sk-tl-wrong"), SANDBOX), OpenAI.AuthenticationError);
    await assert.rejects(ask(client("scoped"), FAKE), OpenAI.PermissionDeniedError);
    await assert.rejects(ask(client(), "sandbox/echo-smal"), (error) => {
      assert(error instanceof OpenAI.NotFoundError);
      assert.equal(error.code, "model_not_found");
      assert(error.message.includes(SANDBOX));
      return true;
    });
    const limited = client("limited");
    await ask(limited, SANDBOX);
    await assert.rejects(ask(limited, SANDBOX), (error) => {
      assert(error instanceof OpenAI.RateLimitError);
      return Number(error.headers.get("retry-after")) > 0;
    });
  },

  async budgetIs402AndNotTriedAgain() {
    const openai = client("poor", { maxRetries: 2 });
    await assert.rejects(openai.chat.completions.create({ model: FAKE, messages: MESSAGES }), (error) => {
      assert.equal(error.status, 402);
      assert.equal(error.code, "budget_exceeded");
      return true;
    });
    assert.equal(openai.sent.length, 1);
  },

  async costIsTheSameEverywhere() {
    const openai = client();
    const ask = { model: FAKE, messages: said("cost"), usage: { include: true } };
    const { data, response } = await openai.chat.completions.create(ask).withResponse();
    const cost = response.headers.get("x-trunkline-cost-usd");
    assert.equal(Number(cost), 0.000023);
    assert.equal(data.usage.cost, Number(cost));
    const id = response.headers.get("x-generation-id");
    const generation = await openai.get("/generation", { query: { id } });
    assert.equal(Number(generation.data.total_cost_usd), Number(cost));
  },

  async aLeftStreamEndsCleanly() {
    const stream = await client().chat.completions.create({ model: SANDBOX, messages: MESSAGES, stream: true });
    for await (const chunk of stream) {
      if (chunk.choices[0].delta.content) break;
    }
    assert((await client().chat.completions.create({ model: SANDBOX, messages: MESSAGES })).choices[0].message.content);
  },
};

let failed = 0;
for (const [name, check] of Object.entries(checks)) {
  try {
    await check();
    console.log(`ok      ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}: ${error.stack}`);
  }
}
console.log(`${Object.keys(checks).length - failed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
