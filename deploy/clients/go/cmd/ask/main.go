// Command ask answers lines of standard input, `user/ana order/1001 view cancel`, with `view=ALLOW cancel=DENY:NO_GRANT`.
package main

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"os"
	"strings"

	sidegate "sidegate.example/client"
)

func main() {
	address := "127.0.0.1:8650"
	if len(os.Args) > 1 {
		address = os.Args[1]
	} else if told := os.Getenv("SIDEGATE_ADDRESS"); told != "" {
		address = told
	}
	client, err := sidegate.New(address)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) < 3 {
			continue
		}
		subject, resource, actions := entity(words[0]), entity(words[1]), words[2:]
		answers := []sidegate.Answer{}
		if len(actions) == 1 {
			answers = append(answers, client.Check(context.Background(), subject, actions[0], resource))
		} else {
			answers = client.CheckAll(context.Background(), subject, resource, actions)
		}
		said := make([]string, len(actions))
		for i, answer := range answers {
			if answer.Allowed {
				said[i] = actions[i] + "=ALLOW"
			} else {
				said[i] = actions[i] + "=DENY:" + answer.Why
			}
		}
		fmt.Println(strings.Join(said, " "))
	}
}

func entity(text string) sidegate.Entity {
	kind, id, _ := strings.Cut(text, "/")
	return sidegate.Entity{Type: kind, ID: id}
}
