/** Notices of one sentence, in the words of many languages, as a person would write them: whom, why, and whether it is tried again. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { classify } from '../classify.ts'

/** That an address does not exist, that mail is late, that an account is closed. */
const states: Readonly<Record<string, readonly [string, string, string]>> = {
  de: [
    'Ihre Nachricht an %s konnte nicht zugestellt werden, da das Postfach nicht existiert.',
    'Die Zustellung Ihrer Nachricht an %s verzögert sich. Es wird weiter versucht.',
    'Das Konto von %s wurde deaktiviert.',
  ],
  fr: [
    "Votre message à %s n'a pas pu être remis car cette adresse n'existe pas.",
    'La remise de votre message à %s est retardée. De nouvelles tentatives auront lieu.',
    'Le compte de %s a été désactivé.',
  ],
  es: [
    'Su mensaje para %s no se pudo entregar porque la dirección no existe.',
    'La entrega de su mensaje a %s se ha retrasado. Se seguirá intentando.',
    'La cuenta de %s ha sido desactivada.',
  ],
  it: [
    "Il messaggio per %s non è stato consegnato perché l'indirizzo non esiste.",
    'La consegna del messaggio a %s è in ritardo. Verranno effettuati altri tentativi.',
    "L'account di %s è stato disattivato.",
  ],
  pt: [
    'A sua mensagem para %s não foi entregue porque o endereço não existe.',
    'A entrega da sua mensagem para %s está atrasada. Novas tentativas serão feitas.',
    'A conta de %s foi desativada.',
  ],
  nl: [
    'Uw bericht aan %s kon niet worden bezorgd omdat het adres niet bestaat.',
    'De bezorging van uw bericht aan %s is vertraagd. Er wordt opnieuw geprobeerd.',
    'Het account van %s is gedeactiveerd.',
  ],
  sv: [
    'Ditt meddelande till %s kunde inte levereras eftersom adressen inte finns.',
    'Leveransen av ditt meddelande till %s är försenad. Nya försök görs.',
    'Kontot %s har inaktiverats.',
  ],
  da: [
    'Din besked til %s kunne ikke leveres, fordi adressen ikke findes.',
    'Leveringen af din besked til %s er forsinket. Der forsøges igen.',
    'Kontoen %s er deaktiveret.',
  ],
  no: [
    'Meldingen din til %s kunne ikke leveres fordi adressen ikke finnes.',
    'Leveringen av meldingen til %s er forsinket. Nye forsøk blir gjort.',
    'Kontoen %s er deaktivert.',
  ],
  fi: [
    'Viestiäsi osoitteeseen %s ei voitu toimittaa, koska osoitetta ei ole olemassa.',
    'Viestisi toimitus osoitteeseen %s on viivästynyt. Yritetään uudelleen.',
    'Tili %s on poistettu käytöstä.',
  ],
  pl: [
    'Wiadomość do %s nie mogła zostać dostarczona, ponieważ adres nie istnieje.',
    'Dostarczenie wiadomości do %s jest opóźnione. Próby będą ponawiane.',
    'Konto %s zostało wyłączone.',
  ],
  cs: [
    'Vaši zprávu pro %s nebylo možné doručit, protože adresa neexistuje.',
    'Doručení vaší zprávy pro %s se zpozdilo. Pokusy budou pokračovat.',
    'Účet %s byl deaktivován.',
  ],
  hu: [
    'Az üzenetét nem sikerült kézbesíteni %s címre, mert a cím nem létezik.',
    'Az üzenet kézbesítése késik: %s. A rendszer tovább próbálkozik.',
    'A fiók le van tiltva: %s',
  ],
  ro: [
    'Mesajul către %s nu a putut fi livrat deoarece adresa nu există.',
    'Livrarea mesajului către %s este întârziată. Se va încerca din nou.',
    'Contul %s a fost dezactivat.',
  ],
  tr: [
    '%s adresine gönderdiğiniz ileti teslim edilemedi: adres bulunamadı.',
    '%s adresine iletinizin teslimi gecikti. Yeniden denenecek.',
    '%s hesabı devre dışı bırakıldı.',
  ],
  ru: [
    'Ваше сообщение для %s не доставлено: адрес не существует.',
    'Доставка вашего сообщения для %s задерживается. Попытки будут продолжены.',
    'Учетная запись %s отключена.',
  ],
  uk: [
    'Ваше повідомлення для %s не доставлено: адреса не існує.',
    'Доставка вашого повідомлення для %s затримується. Спроби триватимуть.',
    'Обліковий запис %s вимкнено.',
  ],
  bg: [
    'Съобщението ви до %s не беше доставено: адресът не съществува.',
    'Доставката на съобщението ви до %s се забавя. Ще се опитваме отново.',
    'Акаунтът %s е деактивиран.',
  ],
  el: [
    'Το μήνυμά σας προς %s δεν παραδόθηκε: η διεύθυνση δεν υπάρχει.',
    'Η παράδοση του μηνύματός σας προς %s καθυστερεί. Θα γίνουν νέες προσπάθειες.',
    'Ο λογαριασμός %s έχει απενεργοποιηθεί.',
  ],
  ja: [
    '%s 宛のメールは、アドレスが存在しないため配信できませんでした。',
    '%s 宛のメールの配信が遅れています。再送を試みます。',
    '%s のアカウントは停止されています。',
  ],
  zh: [
    '您发给 %s 的邮件无法投递，因为该地址不存在。',
    '您发给 %s 的邮件延迟投递，系统将继续尝试。',
    '%s 的账号已被停用。',
  ],
  ko: [
    '%s 님에게 보낸 메일을 전달할 수 없습니다. 주소가 존재하지 않습니다.',
    '%s 님에게 보낸 메일의 전달이 지연되고 있습니다. 다시 시도합니다.',
    '%s 계정이 비활성화되었습니다.',
  ],
  vi: [
    'Không thể gửi thư của bạn đến %s vì địa chỉ không tồn tại.',
    'Thư của bạn gửi đến %s bị chậm trễ. Hệ thống sẽ tiếp tục thử lại.',
    'Tài khoản %s đã bị vô hiệu hóa.',
  ],
  id: [
    'Pesan Anda ke %s tidak dapat dikirim karena alamat tidak ditemukan.',
    'Pengiriman pesan Anda ke %s tertunda. Akan dicoba lagi.',
    'Akun %s telah dinonaktifkan.',
  ],
  ar: [
    'تعذر تسليم رسالتك إلى %s لأن العنوان غير موجود.',
    'تأخر تسليم رسالتك إلى %s. ستتم إعادة المحاولة.',
    'تم تعطيل حساب %s.',
  ],
  he: ['לא ניתן למסור את הודעתך אל %s כי הכתובת לא קיימת.', 'מסירת הודעתך אל %s מתעכבת. ננסה שוב.', 'החשבון %s הושבת.'],
}

/** That a mailbox is full, a message too large, taken for spam, a domain not there. */
const reasons: Readonly<Record<string, readonly [string, string, string, string]>> = {
  de: [
    'Die Nachricht an %s kam zurück, weil das Postfach voll ist.',
    'Die Nachricht an %s kam zurück, weil sie zu groß ist.',
    'Die Nachricht an %s wurde als Spam eingestuft und abgelehnt.',
    'Die Nachricht an %s kam zurück, weil die Domain nicht existiert.',
  ],
  fr: [
    'Le message pour %s est revenu car la boîte est pleine.',
    'Le message pour %s est revenu car il est trop volumineux.',
    'Le message pour %s a été considéré comme du spam et refusé.',
    "Le message pour %s est revenu car le domaine n'existe pas.",
  ],
  es: [
    'El mensaje para %s fue devuelto porque el buzón está lleno.',
    'El mensaje para %s fue devuelto porque es demasiado grande.',
    'El mensaje para %s fue considerado spam y rechazado.',
    'El mensaje para %s fue devuelto porque el dominio no existe.',
  ],
  it: [
    'Il messaggio per %s è tornato indietro perché la casella è piena.',
    'Il messaggio per %s è tornato indietro perché è troppo grande.',
    'Il messaggio per %s è stato considerato spam e rifiutato.',
    'Il messaggio per %s è tornato indietro perché il dominio non esiste.',
  ],
  pt: [
    'A mensagem para %s foi devolvida porque a caixa está cheia.',
    'A mensagem para %s foi devolvida porque é demasiado grande.',
    'A mensagem para %s foi considerada spam e rejeitada.',
    'A mensagem para %s foi devolvida porque o domínio não existe.',
  ],
  nl: [
    'Het bericht aan %s kwam terug omdat de mailbox vol is.',
    'Het bericht aan %s kwam terug omdat het te groot is.',
    'Het bericht aan %s werd als spam beschouwd en geweigerd.',
    'Het bericht aan %s kwam terug omdat het domein niet bestaat.',
  ],
  sv: [
    'Meddelandet till %s kom tillbaka eftersom brevlådan är full.',
    'Meddelandet till %s kom tillbaka eftersom det är för stort.',
    'Meddelandet till %s klassades som skräppost och avvisades.',
    'Meddelandet till %s kom tillbaka eftersom domänen inte finns.',
  ],
  da: [
    'Beskeden til %s kom retur, fordi postkassen er fuld.',
    'Beskeden til %s kom retur, fordi den er for stor.',
    'Beskeden til %s blev opfattet som spam og afvist.',
    'Beskeden til %s kom retur, fordi domænet ikke findes.',
  ],
  no: [
    'Meldingen til %s kom i retur fordi postkassen er full.',
    'Meldingen til %s kom i retur fordi den er for stor.',
    'Meldingen til %s ble oppfattet som søppelpost og avvist.',
    'Meldingen til %s kom i retur fordi domenet ikke finnes.',
  ],
  fi: [
    'Viesti osoitteeseen %s palautui, koska postilaatikko on täynnä.',
    'Viesti osoitteeseen %s palautui, koska se on liian suuri.',
    'Viesti osoitteeseen %s luokiteltiin roskapostiksi ja hylättiin.',
    'Viesti osoitteeseen %s palautui, koska verkkotunnusta ei ole.',
  ],
  pl: [
    'Wiadomość do %s wróciła, ponieważ skrzynka jest pełna.',
    'Wiadomość do %s wróciła, ponieważ jest za duża.',
    'Wiadomość do %s została uznana za spam i odrzucona.',
    'Wiadomość do %s wróciła, ponieważ domena nie istnieje.',
  ],
  cs: [
    'Zpráva pro %s se vrátila, protože schránka je plná.',
    'Zpráva pro %s se vrátila, protože je příliš velká.',
    'Zpráva pro %s byla označena jako spam a odmítnuta.',
    'Zpráva pro %s se vrátila, protože doména neexistuje.',
  ],
  hu: [
    'A %s címre küldött üzenet visszajött, mert a postafiók megtelt.',
    'A %s címre küldött üzenet visszajött, mert túl nagy.',
    'A %s címre küldött üzenetet spamnek minősítették és elutasították.',
    'A %s címre küldött üzenet visszajött, mert a tartomány nem létezik.',
  ],
  ro: [
    'Mesajul pentru %s a revenit deoarece căsuța este plină.',
    'Mesajul pentru %s a revenit deoarece este prea mare.',
    'Mesajul pentru %s a fost considerat spam și respins.',
    'Mesajul pentru %s a revenit deoarece domeniul nu există.',
  ],
  tr: [
    '%s adresine ileti geri döndü, çünkü posta kutusu dolu.',
    '%s adresine ileti geri döndü, çünkü çok büyük.',
    '%s adresine ileti spam olarak değerlendirildi ve reddedildi.',
    '%s adresine ileti geri döndü, çünkü alan adı bulunamadı.',
  ],
  ru: [
    'Сообщение для %s вернулось, так как ящик переполнен.',
    'Сообщение для %s вернулось, так как оно слишком большое.',
    'Сообщение для %s признано спамом и отклонено.',
    'Сообщение для %s вернулось, так как домен не существует.',
  ],
  uk: [
    'Повідомлення для %s повернулося, бо скринька переповнена.',
    'Повідомлення для %s повернулося, бо воно завелике.',
    'Повідомлення для %s визнано спамом і відхилено.',
    'Повідомлення для %s повернулося, бо домен не існує.',
  ],
  el: [
    'Το μήνυμα προς %s επέστρεψε επειδή το γραμματοκιβώτιο είναι γεμάτο.',
    'Το μήνυμα προς %s επέστρεψε επειδή είναι πολύ μεγάλο.',
    'Το μήνυμα προς %s θεωρήθηκε ανεπιθύμητο και απορρίφθηκε.',
    'Το μήνυμα προς %s επέστρεψε επειδή ο τομέας δεν υπάρχει.',
  ],
  ja: [
    '%s 宛のメールは、メールボックスがいっぱいのため戻りました。',
    '%s 宛のメールは、サイズが大きすぎるため戻りました。',
    '%s 宛のメールは迷惑メールと判定され、拒否されました。',
    '%s 宛のメールは、ドメインが存在しないため戻りました。',
  ],
  zh: [
    '发给 %s 的邮件被退回，因为邮箱已满。',
    '发给 %s 的邮件被退回，因为邮件太大。',
    '发给 %s 的邮件被判定为垃圾邮件并被拒绝。',
    '发给 %s 的邮件被退回，因为域名不存在。',
  ],
  ko: [
    '%s 님에게 보낸 메일이 반송되었습니다. 메일함이 가득 찼습니다.',
    '%s 님에게 보낸 메일이 반송되었습니다. 메일이 너무 큽니다.',
    '%s 님에게 보낸 메일이 스팸으로 분류되어 거부되었습니다.',
    '%s 님에게 보낸 메일이 반송되었습니다. 도메인이 존재하지 않습니다.',
  ],
  vi: [
    'Thư gửi đến %s bị trả lại vì hộp thư đã đầy.',
    'Thư gửi đến %s bị trả lại vì kích thước vượt quá giới hạn.',
    'Thư gửi đến %s bị coi là thư rác và bị từ chối.',
    'Thư gửi đến %s bị trả lại vì tên miền không tồn tại.',
  ],
}

/** That a server is not reached, a virus was found, the sender is not allowed, his address blocked. */
const refusals: Readonly<Record<string, readonly [string, string, string, string]>> = {
  de: [
    'Die Nachricht an %s kam zurück, weil der Server nicht erreichbar ist.',
    'Die Nachricht an %s wurde abgelehnt, weil sie einen Virus enthält.',
    'Die Nachricht an %s wurde abgelehnt, weil der Absender nicht zugelassen ist.',
    'Die Nachricht an %s wurde abgelehnt, weil Ihre IP-Adresse gesperrt ist.',
  ],
  fr: [
    'Le message pour %s est revenu car le serveur est injoignable.',
    'Le message pour %s a été refusé car il contient un virus.',
    "Le message pour %s a été refusé car l'expéditeur n'est pas autorisé.",
    'Le message pour %s a été refusé car votre adresse IP est bloquée.',
  ],
  es: [
    'El mensaje para %s fue devuelto porque no se puede contactar con el servidor.',
    'El mensaje para %s fue rechazado porque contiene un virus.',
    'El mensaje para %s fue rechazado porque el remitente no está autorizado.',
    'El mensaje para %s fue rechazado porque su dirección IP está bloqueada.',
  ],
  it: [
    'Il messaggio per %s è tornato indietro perché il server non è raggiungibile.',
    'Il messaggio per %s è stato rifiutato perché contiene un virus.',
    'Il messaggio per %s è stato rifiutato perché il mittente non è autorizzato.',
    'Il messaggio per %s è stato rifiutato perché il suo indirizzo IP è bloccato.',
  ],
  pt: [
    'A mensagem para %s foi devolvida porque o servidor está inacessível.',
    'A mensagem para %s foi rejeitada porque contém um vírus.',
    'A mensagem para %s foi rejeitada porque o remetente não está autorizado.',
    'A mensagem para %s foi rejeitada porque o seu endereço IP está bloqueado.',
  ],
  nl: [
    'Het bericht aan %s kwam terug omdat de server niet bereikbaar is.',
    'Het bericht aan %s werd geweigerd omdat het een virus bevat.',
    'Het bericht aan %s werd geweigerd omdat de afzender niet is toegestaan.',
    'Het bericht aan %s werd geweigerd omdat uw IP-adres is geblokkeerd.',
  ],
  sv: [
    'Meddelandet till %s kom tillbaka eftersom servern inte kan nås.',
    'Meddelandet till %s avvisades eftersom det innehåller ett virus.',
    'Meddelandet till %s avvisades eftersom avsändaren inte är tillåten.',
    'Meddelandet till %s avvisades eftersom din IP-adress är spärrad.',
  ],
  da: [
    'Beskeden til %s kom retur, fordi serveren ikke kan nås.',
    'Beskeden til %s blev afvist, fordi den indeholder en virus.',
    'Beskeden til %s blev afvist, fordi afsenderen ikke er tilladt.',
    'Beskeden til %s blev afvist, fordi din IP-adresse er spærret.',
  ],
  no: [
    'Meldingen til %s kom i retur fordi serveren ikke kan nås.',
    'Meldingen til %s ble avvist fordi den inneholder et virus.',
    'Meldingen til %s ble avvist fordi avsenderen ikke er tillatt.',
    'Meldingen til %s ble avvist fordi IP-adressen din er sperret.',
  ],
  fi: [
    'Viesti osoitteeseen %s palautui, koska palvelimeen ei saada yhteyttä.',
    'Viesti osoitteeseen %s hylättiin, koska se sisältää viruksen.',
    'Viesti osoitteeseen %s hylättiin, koska lähettäjää ei sallita.',
    'Viesti osoitteeseen %s hylättiin, koska IP-osoite on estetty.',
  ],
  pl: [
    'Wiadomość do %s wróciła, ponieważ serwer jest nieosiągalny.',
    'Wiadomość do %s została odrzucona, ponieważ zawiera wirusa.',
    'Wiadomość do %s została odrzucona, ponieważ nadawca nie jest dozwolony.',
    'Wiadomość do %s została odrzucona, ponieważ Twój adres IP jest zablokowany.',
  ],
  cs: [
    'Zpráva pro %s se vrátila, protože server je nedostupný.',
    'Zpráva pro %s byla odmítnuta, protože obsahuje virus.',
    'Zpráva pro %s byla odmítnuta, protože odesílatel není povolen.',
    'Zpráva pro %s byla odmítnuta, protože vaše IP adresa je zablokována.',
  ],
  hu: [
    'A %s címre küldött üzenet visszajött, mert a kiszolgáló nem érhető el.',
    'A %s címre küldött üzenetet elutasították, mert vírust tartalmaz.',
    'A %s címre küldött üzenetet elutasították, mert a feladó nem engedélyezett.',
    'A %s címre küldött üzenetet elutasították, mert az Ön IP-címe le van tiltva.',
  ],
  ro: [
    'Mesajul pentru %s a revenit deoarece serverul nu poate fi contactat.',
    'Mesajul pentru %s a fost respins deoarece conține un virus.',
    'Mesajul pentru %s a fost respins deoarece expeditorul nu este permis.',
    'Mesajul pentru %s a fost respins deoarece adresa dvs. IP este blocată.',
  ],
  tr: [
    '%s adresine ileti geri döndü, çünkü sunucuya ulaşılamıyor.',
    '%s adresine ileti virüs içerdiği için reddedildi.',
    '%s adresine ileti reddedildi, çünkü gönderene izin verilmiyor.',
    '%s adresine ileti reddedildi, çünkü IP adresiniz engellenmiş.',
  ],
  ru: [
    'Сообщение для %s вернулось, так как сервер недоступен.',
    'Сообщение для %s отклонено, так как содержит вирус.',
    'Сообщение для %s отклонено, так как отправитель не разрешен.',
    'Сообщение для %s отклонено, так как ваш IP-адрес заблокирован.',
  ],
  uk: [
    'Повідомлення для %s повернулося, бо сервер недоступний.',
    'Повідомлення для %s відхилено, бо воно містить вірус.',
    'Повідомлення для %s відхилено, бо відправник не дозволений.',
    'Повідомлення для %s відхилено, бо вашу IP-адресу заблоковано.',
  ],
  el: [
    'Το μήνυμα προς %s επέστρεψε επειδή ο διακομιστής δεν είναι προσβάσιμος.',
    'Το μήνυμα προς %s απορρίφθηκε επειδή περιέχει ιό.',
    'Το μήνυμα προς %s απορρίφθηκε επειδή ο αποστολέας δεν επιτρέπεται.',
    'Το μήνυμα προς %s απορρίφθηκε επειδή η διεύθυνση IP σας είναι αποκλεισμένη.',
  ],
  ja: [
    '%s 宛のメールは、サーバーに接続できないため戻りました。',
    '%s 宛のメールは、ウイルスを含むため拒否されました。',
    '%s 宛のメールは、送信者が許可されていないため拒否されました。',
    '%s 宛のメールは、お使いのIPアドレスがブロックされているため拒否されました。',
  ],
  zh: [
    '发给 %s 的邮件被退回，因为无法连接服务器。',
    '发给 %s 的邮件因含有病毒被拒绝。',
    '发给 %s 的邮件被拒绝，因为发件人未被允许。',
    '发给 %s 的邮件被拒绝，因为您的IP地址已被封锁。',
  ],
  ko: [
    '%s 님에게 보낸 메일이 반송되었습니다. 서버에 연결할 수 없습니다.',
    '%s 님에게 보낸 메일이 바이러스가 포함되어 거부되었습니다.',
    '%s 님에게 보낸 메일이 거부되었습니다. 보낸 사람이 허용되지 않습니다.',
    '%s 님에게 보낸 메일이 거부되었습니다. 귀하의 IP 주소가 차단되었습니다.',
  ],
}

/** Too many messages, DMARC that fails, relaying, an attachment that is not allowed. */
const policies: Readonly<Record<string, readonly [string, string, string, string]>> = {
  de: [
    'Die Nachricht an %s wurde nicht angenommen: zu viele Nachrichten in kurzer Zeit.',
    'Die Nachricht an %s wurde abgelehnt, weil die DMARC-Prüfung fehlgeschlagen ist.',
    'Die Nachricht an %s wurde abgelehnt: Weiterleitung (Relay) nicht erlaubt.',
    'Die Nachricht an %s wurde abgelehnt, weil der Dateityp des Anhangs nicht erlaubt ist.',
  ],
  fr: [
    "Le message pour %s n'a pas été accepté : trop de messages en peu de temps.",
    'Le message pour %s a été refusé car la vérification DMARC a échoué.',
    'Le message pour %s a été refusé : relais non autorisé.',
    "Le message pour %s a été refusé car ce type de pièce jointe n'est pas autorisé.",
  ],
  es: [
    'El mensaje para %s no fue aceptado: demasiados mensajes en poco tiempo.',
    'El mensaje para %s fue rechazado porque falló la verificación DMARC.',
    'El mensaje para %s fue rechazado: retransmisión (relay) no permitida.',
    'El mensaje para %s fue rechazado porque el tipo de archivo adjunto no está permitido.',
  ],
  it: [
    'Il messaggio per %s non è stato accettato: troppi messaggi in poco tempo.',
    'Il messaggio per %s è stato rifiutato perché la verifica DMARC è fallita.',
    'Il messaggio per %s è stato rifiutato: relay non consentito.',
    'Il messaggio per %s è stato rifiutato perché il tipo di allegato non è consentito.',
  ],
  pt: [
    'A mensagem para %s não foi aceita: muitas mensagens em pouco tempo.',
    'A mensagem para %s foi rejeitada porque a verificação DMARC falhou.',
    'A mensagem para %s foi rejeitada: relay não permitido.',
    'A mensagem para %s foi rejeitada porque o tipo de anexo não é permitido.',
  ],
  nl: [
    'Het bericht aan %s werd niet aanvaard: te veel berichten in korte tijd.',
    'Het bericht aan %s werd geweigerd omdat de DMARC-controle mislukte.',
    'Het bericht aan %s werd geweigerd: relay niet toegestaan.',
    'Het bericht aan %s werd geweigerd omdat dit type bijlage niet is toegestaan.',
  ],
  sv: [
    'Meddelandet till %s togs inte emot: för många meddelanden på kort tid.',
    'Meddelandet till %s avvisades eftersom DMARC-kontrollen misslyckades.',
    'Meddelandet till %s avvisades: vidaresändning (relay) är inte tillåten.',
    'Meddelandet till %s avvisades eftersom bilagans typ inte är tillåten.',
  ],
  da: [
    'Beskeden til %s blev ikke modtaget: for mange beskeder på kort tid.',
    'Beskeden til %s blev afvist, fordi DMARC-kontrollen mislykkedes.',
    'Beskeden til %s blev afvist: relay er ikke tilladt.',
    'Beskeden til %s blev afvist, fordi denne type vedhæftet fil ikke er tilladt.',
  ],
  pl: [
    'Wiadomość do %s nie została przyjęta: zbyt wiele wiadomości w krótkim czasie.',
    'Wiadomość do %s została odrzucona, ponieważ weryfikacja DMARC nie powiodła się.',
    'Wiadomość do %s została odrzucona: przekazywanie (relay) niedozwolone.',
    'Wiadomość do %s została odrzucona, ponieważ ten typ załącznika jest niedozwolony.',
  ],
  cs: [
    'Zpráva pro %s nebyla přijata: příliš mnoho zpráv v krátké době.',
    'Zpráva pro %s byla odmítnuta, protože kontrola DMARC selhala.',
    'Zpráva pro %s byla odmítnuta: předávání (relay) není povoleno.',
    'Zpráva pro %s byla odmítnuta, protože tento typ přílohy není povolen.',
  ],
  ru: [
    'Сообщение для %s не принято: слишком много сообщений за короткое время.',
    'Сообщение для %s отклонено, так как проверка DMARC не пройдена.',
    'Сообщение для %s отклонено: пересылка (relay) запрещена.',
    'Сообщение для %s отклонено, так как такой тип вложения запрещен.',
  ],
  tr: [
    '%s adresine ileti kabul edilmedi: kısa sürede çok fazla ileti.',
    '%s adresine ileti reddedildi, çünkü DMARC doğrulaması başarısız.',
    '%s adresine ileti reddedildi: aktarma (relay) izni yok.',
    '%s adresine ileti reddedildi, çünkü bu ek türüne izin verilmiyor.',
  ],
  ja: [
    '%s 宛のメールは、短時間に送信が多すぎるため受け付けられませんでした。',
    '%s 宛のメールは、DMARC認証に失敗したため拒否されました。',
    '%s 宛のメールは、中継が許可されていないため拒否されました。',
    '%s 宛のメールは、添付ファイルの種類が許可されていないため拒否されました。',
  ],
  zh: [
    '发给 %s 的邮件未被接收：短时间内发送过多。',
    '发给 %s 的邮件被拒绝，因为DMARC验证失败。',
    '发给 %s 的邮件被拒绝：不允许中继。',
    '发给 %s 的邮件被拒绝，因为不允许该类型的附件。',
  ],
}

const verdictOn = (sentence: string, subject: string, type: string): string => {
  const { kind, recipients } = classify(
    Buffer.from(
      `From: Mail Delivery System <MAILER-DAEMON@st.example>\nReturn-Path: <>\nTo: news@corp.example\nSubject: ${subject}\nContent-Type: ${type}; charset=utf-8\n\n${sentence.replace('%s', 'ann@x.example')}\n`,
    ),
  )
  const told = recipients.map(({ address, action, reason, permanent }) =>
    [address, action, reason, permanent].join(' '),
  )
  return [kind, ...told].join(' ')
}

describe('a notice of one sentence', () => {
  for (const [language, [unknown, late, closed]] of Object.entries(states)) {
    it(`tells who is not there, late or closed, in ${language}`, () => {
      for (const [subject, type] of [
        ['Undelivered mail', 'text/plain'],
        ['x', 'text/html'],
      ] as const) {
        assert.equal(verdictOn(unknown, subject, type), 'bounce ann@x.example failed userunknown true', unknown)
        assert.match(verdictOn(late, subject, type), /^bounce ann@x\.example delayed \w+ false$/, late)
        assert.equal(verdictOn(closed, subject, type), 'bounce ann@x.example failed suspend false', closed)
      }
    })
  }
  for (const [language, sentences] of Object.entries(reasons)) {
    it(`tells why, in ${language}`, () => {
      const expected = ['mailboxfull false', 'mesgtoobig false', 'spamdetected false', 'hostunknown true']
      for (const [index, sentence] of sentences.entries())
        for (const subject of ['Undelivered mail', 'x'])
          assert.equal(
            verdictOn(sentence, subject, 'text/plain'),
            `bounce ann@x.example failed ${expected[index]}`,
            sentence,
          )
    })
  }
  for (const [table, expected] of [
    [refusals, [/networkerror|expired/, /virusdetected/, /rejected|policyviolation|filtered/, /blocked/]],
    [policies, [/speeding|toomanyconn/, /authfailure/, /norelaying/, /policyviolation|contenterror/]],
  ] as const)
    for (const [language, sentences] of Object.entries(table)) {
      it(`tells who or what is refused, in ${language}: ${expected.join(', ')}`, () => {
        for (const [index, sentence] of sentences.entries()) {
          const verdict = verdictOn(sentence, 'Undelivered mail', 'text/plain')
          assert.match(verdict, /^bounce ann@x\.example failed \w+ false$/)
          assert.match(verdict, expected[index] ?? /$^/, sentence)
        }
      })
    }
})
