package example.sidegate;

import example.sidegate.Sidegate.Answer;
import example.sidegate.Sidegate.Entity;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * Answers lines of standard input, {@code user/ana order/1001 view cancel}, with {@code view=ALLOW cancel=DENY:NO_GRANT}.
 */
public final class Ask {
  private Ask() {}

  public static void main(String[] arguments) throws IOException {
    String told = System.getenv().getOrDefault("SIDEGATE_ADDRESS", "127.0.0.1:8650");
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    String address = arguments.length > 0 ? arguments[0] : told;
    try (Sidegate sidegate = connect(address)) {
      sidegate.warmUp();
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        String[] words = line.trim().split("\\s+");
        Entity subject = entity(words[0]);
        Entity resource = entity(words[1]);
        List<String> actions = List.of(words).subList(2, words.length);
        List<Answer> answers =
            actions.size() == 1
                ? List.of(sidegate.check(subject, actions.get(0), resource))
                : sidegate.checkAll(subject, resource, actions);
        List<String> said = new ArrayList<>();
        for (int i = 0; i < answers.size(); i++) {
          Answer answer = answers.get(i);
          said.add(actions.get(i) + (answer.allowed() ? "=ALLOW" : "=DENY:" + answer.why()));
        }
        System.out.println(String.join(" ", said));
      }
    }
  }

  private static Sidegate connect(String address) {
    boolean unix = address.startsWith("unix:");
    return unix ? new Sidegate(UnixSocket.at(address.substring("unix:".length()))) : new Sidegate(address);
  }

  private static Entity entity(String text) {
    int slash = text.indexOf('/');
    return new Entity(text.substring(0, slash), text.substring(slash + 1));
  }
}
