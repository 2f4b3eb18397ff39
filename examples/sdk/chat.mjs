// A question and its answer as it is written, then the same without a stream and what it cost.
//
//     npm install openai
//     TRUNKLINE_KEY=sk-tl-… node chat.mjs

import OpenAI from "openai";

const client = new OpenAI({
  baseURL: process.env.TRUNKLINE_URL ?? "http://127.0.0.1:4600/v1",
  apiKey: process.env.TRUNKLINE_KEY,
});
const question = {
  model: process.env.TRUNKLINE_MODEL ?? "sandbox/echo-small",
  messages: [{ role: "user", content: "What is a trunk line?" }],
};

const stream = await client.chat.completions.create({ ...question, stream: true });
for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta?.content ?? "");
console.log();

const { data, response } = await client.chat.completions.create(question).withResponse();
console.log(data.choices[0].message.content);
console.log(`${response.headers.get("x-trunkline-cost-usd")} USD`);
